"""Tries an echo server with the Python library `aiohttp`: client_aiohttp.py URL [--ca FILE] [--no-deflate]"""

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, __version__

import client_common


class Connection:
    def __init__(self, session, ws):
        self.session = session
        self.ws = ws
        self.subprotocol = ws.protocol
        self.compresses = ws.compress != 0

    async def send(self, message):
        await (self.ws.send_str if isinstance(message, str) else self.ws.send_bytes)(message)

    async def receive(self):
        return (await self.next(WSMsgType.TEXT, WSMsgType.BINARY)).data

    async def ping(self, payload):
        await self.ws.ping(payload)
        return (await self.next(WSMsgType.PONG)).data

    async def close(self, code, reason):
        await self.ws.close(code=code, message=reason.encode())
        await self.session.close()
        return (self.ws.close_code,)  # the reason is not kept

    async def closed(self):
        message = await self.next(WSMsgType.CLOSE)
        await self.session.close()
        return message.data, message.extra

    async def next(self, *expected):
        """Waits for a message of an expected type. Answers pings itself: with `autoping`, the library would hide pongs."""
        while (message := await self.ws.receive()).type is WSMsgType.PING:
            await self.ws.pong(message.data)
        if message.type not in expected:
            raise AssertionError(f"received {message!r:.80} instead of {expected}")
        return message


async def connect(url, subprotocols, tls, deflate):
    session = ClientSession()
    return Connection(session, await session.ws_connect(
        url,
        ssl=tls or True,
        protocols=subprotocols,
        compress=15 if deflate else 0,
        max_msg_size=2 * client_common.LARGE,
        autoping=False,
    ))


async def status(url, tls):
    async with ClientSession() as session:
        try:
            await session.ws_connect(url, ssl=tls or True)
        except WSServerHandshakeError as error:
            return error.status


client_common.main(f"aiohttp {__version__}", connect, status, cannot=["fragments sent"])
