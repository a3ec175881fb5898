"""Echo server on the ASGI server `hypercorn`, a peer for testing WebSocket clients."""

import asyncio
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from echo_common import BURST, CLOSE, MAX_MESSAGE, NOWHERE, SUBPROTOCOLS, listening_until_stopped


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()  # the request to connect
    if scope["path"] == NOWHERE:
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"nothing is here"})
        return
    chosen = next((name for name in scope["subprotocols"] if name in SUBPROTOCOLS), None)
    await send({"type": "websocket.accept", "subprotocol": chosen})
    while (event := await receive())["type"] == "websocket.receive":
        text, data = event.get("text"), event.get("bytes")
        if text is None:
            await send({"type": "websocket.send", "bytes": data})
        elif command := CLOSE.fullmatch(text):
            reason = command[2] or ""
            await send({"type": "websocket.close", "code": int(command[1] or 1000), "reason": reason})
            return
        elif command := BURST.fullmatch(text):
            for number in range(int(command[1])):
                await send({"type": "websocket.send", "text": str(number)})
        else:
            await send({"type": "websocket.send", "text": text})


def config_of(arguments):
    """Returns the configuration and the port. Hypercorn must know the port before it starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.websocket_max_message_size = MAX_MESSAGE
    config.loglevel = "CRITICAL"
    http2 = "--http2" in arguments
    arguments = [argument for argument in arguments if argument != "--http2"]
    options = dict(zip(arguments[::2], arguments[1::2]))
    config.certfile, config.keyfile = options.get("--cert"), options.get("--key")
    config.alpn_protocols = ["h2", "http/1.1"] if http2 else ["http/1.1"]
    return config, port


async def main():
    config, port = config_of(sys.argv[1:])
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
    while True:  # hypercorn does not report that it listens
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
    await listening_until_stopped(port)
    stop.set()
    await asyncio.wait_for(serving, 2)


asyncio.run(main())
