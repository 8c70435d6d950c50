"""A server that speaks MongoDB's protocol, for the demo and the tests: `nx-27017`, which keeps documents in SQLite.

It is not MongoDB. What differs and was seen with version 0.8: regular expressions, timestamps, decimals and the keys
MinKey and MaxKey cannot be stored; code becomes a string, a binary subtype is lost, a small 64-bit integer comes back
with 32 bits; values of different types are compared with each other, and `$type` knows no date; and its change
streams give dates and ObjectIds in its own notation and take any token for now. So collections are read by keys here,
and the tests of change streams use a scripted server, or a real one (`MONGODB_URI`).

`python -m analytics_platform.demo.servers.mongo_server --port 27017` serves until interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
_MODULE = "analytics_platform.demo.servers.mongo_server"
_STOP_SECONDS = 5.0


class MongoServerError(RuntimeError):
    """The local server did not start; the message says what to do."""


@contextmanager
def serve_mongo(data: Path | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a child process on loopback, on a free port for 0; yields the connection string.

    Databases are kept in the folder `data`, or in memory without it. The child ends with this process, however that
    ends. Raises `MongoServerError`.
    """
    command = [sys.executable, "-m", _MODULE, "--child", "--port", str(port)]
    command += ["--data", str(data)] if data else []
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=nowhere) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            said = process.stdout.readline().strip()
            if not said.startswith("mongodb://"):
                raise MongoServerError(f"The local MongoDB server did not start: {said or 'it said nothing'}.")
            yield said
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


async def _serve_until_left(data: Path | None, port: int) -> None:
    """Serve, say where, and end when the parent closes its end of the pipe."""
    # Only the child needs these, and they take a third of a second to import.
    from nx_27017.handler import NeoSQLiteHandler  # type: ignore[import-untyped]
    from nx_27017.server import handle_client  # type: ignore[import-untyped]

    handler = NeoSQLiteHandler(data_dir=str(data) if data else "memory")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle_client(reader, writer, handler)

    try:
        server = await asyncio.start_server(answer, LOOPBACK, port)
    except OSError:
        print(f"port {port} is taken, choose another", flush=True)
        return
    print(f"mongodb://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/?directConnection=true", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections may still be open, and every write is committed


def main() -> None:
    """Read the arguments, print the connection string, serve until interrupted."""
    parser = argparse.ArgumentParser(prog="mongo_server", description="A local MongoDB for MONGODB_URI.")
    parser.add_argument("--port", type=int, default=27017, help="0 takes a free one")
    parser.add_argument("--data", type=Path, help="folder to keep the databases in (default: in memory)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        asyncio.run(_serve_until_left(arguments.data, arguments.port))
        return
    try:
        with serve_mongo(arguments.data, arguments.port) as uri:
            print(uri, flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return
    except MongoServerError as error:
        sys.exit(f"mongo_server: {error}")


if __name__ == "__main__":
    main()
