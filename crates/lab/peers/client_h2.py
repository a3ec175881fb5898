"""Tries an echo server over HTTP/2 with the Python libraries `h2` and `wsproto`: client_h2.py URL [--ca FILE]
[--no-deflate]. All WebSockets are streams of one connection. A URL with ws is used with prior knowledge.
"""

import asyncio
from importlib.metadata import version
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset, WindowUpdated,
)
from wsproto.connection import Connection as Frames, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

import client_common


class Http2:
    """A connection, and the tasks that wait for its streams."""

    async def open(self, url, tls):
        if tls:
            tls.set_alpn_protocols(["h2"])
        self.reader, self.writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls)
        if tls and self.writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            raise AssertionError("the server does not choose h2 by ALPN")
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.streams = {}
        self.changed = asyncio.Condition()
        self.has_settings = False
        self.h2.initiate_connection()
        self.flush()
        self.reading = asyncio.create_task(self.read())
        await self.wait_for(lambda: self.has_settings)
        if not self.h2.remote_settings.enable_connect_protocol:
            raise AssertionError("the server does not send SETTINGS_ENABLE_CONNECT_PROTOCOL")
        return self

    async def read(self):
        while data := await self.reader.read(65536):
            for event in self.h2.receive_data(data):
                if isinstance(event, RemoteSettingsChanged):
                    self.has_settings = True
                elif isinstance(event, DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.data:
                        self.streams[event.stream_id].receive_data(event.data)
                elif isinstance(event, ResponseReceived):
                    self.streams[event.stream_id].headers = dict(event.headers)
                elif isinstance(event, StreamEnded):
                    self.streams[event.stream_id].ended("END_STREAM")
                elif isinstance(event, StreamReset):
                    self.streams[event.stream_id].ended(ErrorCodes(event.error_code).name)
            self.flush()
            async with self.changed:
                self.changed.notify_all()

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    async def wait_for(self, holds):
        async with self.changed:
            await self.changed.wait_for(holds)

    async def send(self, stream, data):
        while data:
            room = lambda: min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            await self.wait_for(lambda: room() > 0)
            piece, data = data[:room()], data[room():]
            self.h2.send_data(stream, piece)
            self.flush()


class Connection:
    """A WebSocket."""

    def __init__(self, http2):
        self.http2 = http2
        self.headers = None
        self.end = None
        self.frames = None
        self.messages, self.pongs, self.pieces = [], [], []
        self.close_received = None
        self.ending = False
        self.sending = asyncio.Lock()

    async def open(self, url, subprotocols=(), deflate=False):
        extension = PerMessageDeflate()
        self.stream = self.http2.h2.get_next_available_stream_id()
        self.http2.streams[self.stream] = self
        headers = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https" if url.scheme == "wss" else "http"),
            (":path", url.path),
            (":authority", url.netloc),
            ("sec-websocket-version", "13"),
        ]
        if subprotocols:
            headers.append(("sec-websocket-protocol", ", ".join(subprotocols)))
        if deflate:
            headers.append(("sec-websocket-extensions", f"{extension.name}; {extension.offer()}"))
        self.http2.h2.send_headers(self.stream, headers)
        self.http2.flush()
        await self.http2.wait_for(lambda: self.headers or self.end)
        agreed = (self.headers or {}).get("sec-websocket-extensions")
        if agreed:
            extension.finalize(agreed)
        self.subprotocol = (self.headers or {}).get("sec-websocket-protocol")
        self.compresses = agreed is not None
        # The frames of the first message may have come before this line.
        frames = Frames(ConnectionType.CLIENT, extensions=[extension] if agreed else [])
        self.frames, early = frames, self.pieces
        self.pieces = []
        for data in early:
            self.receive_data(data)
        return self

    def receive_data(self, data):
        if self.frames is None:
            self.pieces.append(data)
            return
        self.frames.receive_data(data)
        for event in self.frames.events():
            if isinstance(event, Ping):
                asyncio.create_task(self.send_pong(event))
            elif isinstance(event, Pong):
                self.pongs.append(bytes(event.payload))
            elif isinstance(event, CloseConnection):
                self.close_received = event
            elif isinstance(event, (TextMessage, BytesMessage)):
                self.pieces.append(event.data)
                if event.message_finished:
                    empty = "" if isinstance(event, TextMessage) else b""
                    self.messages.append(empty.join(self.pieces))
                    self.pieces = []

    def ended(self, how):
        self.end = self.end or how  # a reset may follow END_STREAM

    async def send_event(self, event):
        async with self.sending:  # a Pong may not come between two parts of a frame
            await self.http2.send(self.stream, self.frames.send(event))

    async def send_pong(self, ping):
        if not (self.end or self.ending or self.close_received):
            await self.send_event(ping.response())

    async def send(self, message):
        await self.send_fragments([message])

    async def send_fragments(self, pieces):
        for number, piece in enumerate(pieces):
            kind = TextMessage if isinstance(piece, str) else BytesMessage
            await self.send_event(kind(piece, message_finished=number == len(pieces) - 1))

    async def receive(self):
        await self.http2.wait_for(lambda: self.messages or self.close_received or self.end)
        if not self.messages:
            raise AssertionError(f"{self.close_received} {self.end} instead of a message")
        return self.messages.pop(0)

    async def ping(self, payload):
        await self.send_event(Ping(payload))
        await self.http2.wait_for(lambda: self.pongs)
        return self.pongs.pop(0)

    async def close(self, code, reason):
        await self.send_event(CloseConnection(code, reason))
        return await self.closed()

    async def closed(self):
        """Returns the code and the reason of the server's Close. The server ends the stream after it."""
        await self.http2.wait_for(lambda: self.close_received)
        close = self.close_received
        if self.frames.state.name == "REMOTE_CLOSING":
            await self.send_event(close.response())
        if not self.end:
            self.http2.h2.end_stream(self.stream)
            self.http2.flush()
        await self.http2.wait_for(lambda: self.end)
        client_common.check(self.end, "END_STREAM")
        return close.code, close.reason


http2 = None


async def connect(url, subprotocols, tls, deflate):
    global http2
    url = urlsplit(url)
    http2 = http2 or await Http2().open(url, tls)
    return await Connection(http2).open(url, subprotocols, deflate)


async def status(url, tls):
    rejected = await Connection(http2).open(urlsplit(url))
    return int(rejected.headers[":status"])


async def end_without_a_Close(context):
    """An END_STREAM and a reset end one socket. The other goes on."""
    other = await context.open()
    for reset in (False, True):
        connection = await context.open()
        await client_common.check_echo(connection, "hello")
        connection.ending = True
        if not reset:
            http2.h2.end_stream(connection.stream)
            http2.flush()
            try:
                await asyncio.wait_for(http2.wait_for(lambda: connection.end), 5)
            except TimeoutError:
                reset = True  # nghttpx does not pass END_STREAM on
        if reset:
            http2.h2.reset_stream(connection.stream, ErrorCodes.CANCEL)
            http2.flush()
        await client_common.check_echo(other, "still here")
    await other.close(1000, "")


client_common.TRIALS += (end_without_a_Close,)
client_common.main(f"h2 {version('h2')}", connect, status)
