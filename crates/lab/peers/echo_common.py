"""Shared code of the Python echo servers: command line, TLS, text commands, and when to stop."""

import argparse
import asyncio
import os
import re
import signal
import ssl
import threading

SUBPROTOCOLS = ("echo", "chat", "superchat")
MAX_MESSAGE = 64 * 1024 * 1024
CLOSE = re.compile(r"close(?: ([0-9]{4})(?: (.*))?)?", re.DOTALL)
BURST = re.compile(r"burst ([0-9]+)")
NOWHERE = "/nowhere"  # the servers answer this path with 404


def arguments():
    """Returns the host, the port and the TLS context (None without --cert)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    args = parser.parse_args()
    tls = None
    if args.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(args.cert, args.key)
    return args.host, args.port, tls


async def listening_until_stopped(port):
    """Prints that the server listens, then waits for SIGTERM or the end of stdin."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def watch_stdin():
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch_stdin, daemon=True).start()
    print("listening", port, flush=True)
    await stop.wait()
