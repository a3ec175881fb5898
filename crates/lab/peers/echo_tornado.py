"""Echo server on the Python library `tornado`, a peer for testing WebSocket clients."""

import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from echo_common import BURST, CLOSE, MAX_MESSAGE, NOWHERE, SUBPROTOCOLS, arguments, listening_until_stopped


class Echo(WebSocketHandler):
    def prepare(self):
        if self.request.path == NOWHERE:
            raise HTTPError(404)

    def check_origin(self, _origin):
        return True

    def select_subprotocol(self, offered):
        return next((name for name in offered if name in SUBPROTOCOLS), None)

    def get_compression_options(self):
        return {}

    async def on_message(self, message):
        text = message if isinstance(message, str) else ""
        try:
            if command := CLOSE.fullmatch(text):
                self.close(int(command[1]) if command[1] else None, command[2])
            elif command := BURST.fullmatch(text):
                for number in range(int(command[1])):
                    await self.write_message(str(number))
            else:
                await self.write_message(message, binary=isinstance(message, bytes))
        except WebSocketClosedError:
            pass


async def main():
    host, port, tls = arguments()
    app = Application([(r"/.*", Echo)], websocket_max_message_size=MAX_MESSAGE)
    server = HTTPServer(app, ssl_options=tls)
    sockets = bind_sockets(port, host)
    server.add_sockets(sockets)
    await listening_until_stopped(sockets[0].getsockname()[1])
    server.stop()
    await asyncio.wait_for(server.close_all_connections(), 2)


asyncio.run(main())
