"""The trials and the command line of the Python clients for our echo server."""

import argparse
import asyncio
import ssl
import sys
from types import SimpleNamespace
from urllib.parse import urljoin

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1048576)
EVERY_LENGTH = "grüße, 世界, \U0001f980, nul \0"
LARGE = 8_000_000
MANY = 1000
SILENCE = 3  # seconds; longer than the idle timeout of the proxies
SECONDS = 60


async def subprotocol(context):
    check(context.connection.subprotocol, "echo")


async def compression(context):
    check(context.connection.compresses, context.deflate)


async def text(context):
    for message in [*(("abcdefg" * size)[:size] for size in SIZES), EVERY_LENGTH]:
        await check_echo(context.connection, message)


async def binary(context):
    for size in SIZES:
        await check_echo(context.connection, bytes(i * 31 % 251 for i in range(size)))


async def large_message(context):
    await check_echo(context.connection, "fullduplex" * (LARGE // 10))


async def fragments_sent(context):
    await context.connection.send_fragments(["one ", "", "message"])
    check(await context.connection.receive(), "one message")


async def fragments_received(context):
    await context.connection.send("parts 10")
    check(await context.connection.receive(), "12345678910")


async def ping_sent(context):
    check(await context.connection.ping(b"ping payload"), b"ping payload")


async def ping_received(context):
    await context.connection.send("ping payload")
    check(await context.connection.receive(), "pong payload")


async def burst_sent(context):
    numbered = [f"message {number}" for number in range(MANY)]
    for message in numbered:
        await context.connection.send(message)
    check([await context.connection.receive() for _ in numbered], numbered)


async def burst_received(context):
    await context.connection.send(f"burst {MANY}")
    numbered = [str(number) for number in range(MANY)]
    check([await context.connection.receive() for _ in numbered], numbered)


async def close_sent(context):
    closed = await context.connection.close(4000, "bye")
    check(closed, (4000, "bye")[: len(closed)])


async def close_received(context):
    connection = await context.open()
    await connection.send("close 4001 that is all")
    check(await connection.closed(), (4001, "that is all"))


async def silence(context):
    connection = await context.open()
    echo = asyncio.create_task(connection.receive())  # some libraries answer pings only while receiving
    await asyncio.sleep(SILENCE)
    await connection.send("still here")
    check(await echo, "still here")
    await connection.close(1000, "")


async def rejection(context):
    check(await context.status(urljoin(context.url, "refused")), 404)


TRIALS = (
    subprotocol, compression, text, binary, large_message, fragments_sent, fragments_received,
    ping_sent, ping_received, burst_sent, burst_received, close_sent, close_received, silence,
    rejection,
)


async def check_echo(connection, message):
    await connection.send(message)
    check(await connection.receive(), message)


def check(got, expected):
    if got != expected:  # a str never equals bytes, so this compares the kind too
        raise AssertionError(f"expected {show(expected)}, got {show(got)}")


def show(value):
    return f"{value!r:.80}" + (f" (length {len(value)})" if hasattr(value, "__len__") else "")


def main(name, connect, status, cannot=()):
    """Runs all trials except those in `cannot`, and prints a line for each.

    connect(url, subprotocols, tls, deflate) returns a connection:
        subprotocol, compresses;
        send(message), receive(), send_fragments(pieces), ping(payload), which returns the answer's payload;
        close(code, reason) and closed(), which return the server's code and reason, as far as the library shows them.
    status(url, tls) returns the status of a response that rejects the handshake.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--no-deflate", action="store_true")
    args = parser.parse_args()
    tls = ssl.create_default_context(cafile=args.ca) if args.ca else None
    deflate = not args.no_deflate
    print("peer Python", name, flush=True)
    current = "opening"

    async def try_all():
        nonlocal current

        async def connect_here(*subprotocols):
            return await connect(args.url, subprotocols, tls, deflate)

        context = SimpleNamespace(
            url=args.url,
            deflate=deflate,
            open=connect_here,
            status=lambda url: status(url, tls),
            connection=await connect_here("nope", "echo"),
        )
        for trial in TRIALS:
            current = trial.__name__.replace("_", " ")
            if current not in cannot:
                await trial(context)
                print("ok", current, flush=True)

    try:
        asyncio.run(asyncio.wait_for(try_all(), SECONDS))
    except Exception as error:
        text = str(error) or f"no result within {SECONDS} s"
        print(f"failed {current}: {type(error).__name__}: {text}")
        sys.exit(1)
