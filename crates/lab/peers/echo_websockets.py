"""Echo server on the Python library `websockets`, a peer for testing WebSocket clients."""

import asyncio
import contextlib
import os

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from echo_common import BURST, CLOSE, MAX_MESSAGE, NOWHERE, SUBPROTOCOLS, arguments, listening_until_stopped


def choose_subprotocol(_connection, offered):
    return next((name for name in offered if name in SUBPROTOCOLS), None)


def refuse(connection, request):
    return connection.respond(404, "nothing is here") if request.path == NOWHERE else None


async def handle(connection):
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            text = message if isinstance(message, str) else ""
            if command := CLOSE.fullmatch(text):
                # close() cannot omit the code: a bare "close" sends 1000.
                await connection.close(int(command[1] or 1000), command[2] or "")
            elif command := BURST.fullmatch(text):
                for number in range(int(command[1])):
                    await connection.send(str(number))
            else:
                await connection.send(message)


async def main():
    host, port, tls = arguments()
    server = await serve(handle, host, port, ssl=tls, compression="deflate",
                         max_size=MAX_MESSAGE, select_subprotocol=choose_subprotocol,
                         process_request=refuse)
    await listening_until_stopped(server.sockets[0].getsockname()[1])
    server.close()
    try:
        await asyncio.wait_for(server.wait_closed(), 2)
    except TimeoutError:
        os._exit(0)  # a client does not answer our Close; asyncio would wait longer for it


asyncio.run(main())
