"""Tries an echo server with the Python library `websockets`: client_websockets.py URL [--ca FILE] [--no-deflate]"""

from websockets import __version__
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

import client_common


class Connection:
    def __init__(self, ws):
        self.ws = ws
        self.subprotocol = ws.subprotocol
        self.compresses = [extension.name for extension in ws.protocol.extensions] == ["permessage-deflate"]
        self.send = self.send_fragments = ws.send  # several pieces are fragments of one message
        self.receive = ws.recv

    async def ping(self, payload):
        await (await self.ws.ping(payload))  # only a pong with the same payload completes it
        return payload

    async def close(self, code, reason):
        await self.ws.close(code, reason)
        return await self.closed()

    async def closed(self):
        try:
            raise AssertionError(f"received {await self.ws.recv()!r:.80} instead of a Close")
        except ConnectionClosed as closed:
            return closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)


async def connect(url, subprotocols, tls, deflate):
    return Connection(await connect_websocket(
        url,
        ssl=tls,
        subprotocols=subprotocols or None,
        compression="deflate" if deflate else None,
        max_size=2 * client_common.LARGE,
        proxy=None,
    ))


async def status(url, tls):
    try:
        await connect_websocket(url, ssl=tls, proxy=None)
    except InvalidStatus as error:
        return error.response.status_code


client_common.main(f"websockets {__version__}", connect, status)
