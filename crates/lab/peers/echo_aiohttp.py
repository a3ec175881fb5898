"""Echo server on the Python library `aiohttp`, a peer for testing WebSocket clients.

aiohttp answers a Close with its own code 1000 and no reason; it does not echo ours.
"""

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from echo_common import BURST, CLOSE, MAX_MESSAGE, NOWHERE, SUBPROTOCOLS, arguments, listening_until_stopped


connections = set()


async def handle(request):
    if request.path == NOWHERE:
        raise web.HTTPNotFound(text="nothing is here")
    ws = web.WebSocketResponse(protocols=SUBPROTOCOLS, max_msg_size=MAX_MESSAGE, compress=True)
    await ws.prepare(request)
    connections.add(ws)
    with contextlib.suppress(ConnectionError):
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                await ws.send_bytes(message.data)
            elif message.type is not WSMsgType.TEXT:
                break  # an error; aiohttp has closed the connection already
            elif command := CLOSE.fullmatch(message.data):
                # close() cannot omit the code: a bare "close" sends 1000.
                await ws.close(code=int(command[1] or 1000), message=(command[2] or "").encode())
            elif command := BURST.fullmatch(message.data):
                for number in range(int(command[1])):
                    await ws.send_str(str(number))
            else:
                await ws.send_str(message.data)
    connections.discard(ws)
    return ws


async def main():
    host, port, tls = arguments()
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls).start()
    await listening_until_stopped(runner.addresses[0][1])
    closing = [asyncio.create_task(ws.close(code=1001)) for ws in connections]
    if closing:
        await asyncio.wait(closing, timeout=1)
    await runner.cleanup()


asyncio.run(main())
