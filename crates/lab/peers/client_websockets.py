"""Tests an echo server with the Python library `websockets`: client_websockets.py URL [--ca FILE]"""

import argparse
import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1048576)
checks = 0


def show(value):
    return f"{value!r:.80}" + (f" (length {len(value)})" if hasattr(value, "__len__") else "")


def check(what, got, expected):
    global checks
    if got != expected:  # a str never equals a bytes: this compares the kind too
        raise AssertionError(f"{what}: expected {show(expected)}, got {show(got)}")
    checks += 1


async def check_close(ws, code, reason):
    try:
        check("message after the closing handshake", await ws.recv(), None)
    except ConnectionClosed as closed:
        for side, close in (("sent", closed.sent), ("received", closed.rcvd)):
            check(f"close {side}", close and (close.code, close.reason), (code, reason))


async def run(url, ca):
    tls = ssl.create_default_context(cafile=ca) if url.startswith("wss:") else None
    options = {"ssl": tls, "compression": "deflate", "max_size": 2 * 1024 * 1024, "proxy": None}
    ws = await connect(url, subprotocols=["nope", "echo"], **options)
    check("subprotocol", ws.subprotocol, "echo")

    texts = [("abcdefg" * size)[:size] for size in SIZES]
    binaries = [bytes(i * 31 % 251 for i in range(size)) for size in SIZES]
    for message in [*texts, *binaries, "grüße, 世界, \U0001f980, nul \0"]:
        await ws.send(message)
        check("echo", await ws.recv(), message)

    numbered = [f"message {number}" for number in range(1000)]
    for message in numbered:
        await ws.send(message)
    check("1000 messages in order", [await ws.recv() for _ in numbered], numbered)

    pong = await ws.ping(b"ping payload")  # only a pong with the same payload completes it
    check("pong", (await pong) >= 0, True)

    await ws.close(4000, "bye")
    await check_close(ws, 4000, "bye")

    ws = await connect(url, **options)
    await ws.close()  # this library always sends a code, 1000 by default
    await check_close(ws, 1000, "")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    args = parser.parse_args()
    try:
        await asyncio.wait_for(run(args.url, args.ca), 30)
    except Exception as error:
        text = str(error) or "no result within 30 s"
        print(f"failed after {checks} checks: {type(error).__name__}: {text}")
        sys.exit(1)
    print(f"ok {checks} checks")


asyncio.run(main())
