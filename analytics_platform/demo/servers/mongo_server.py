"""A server that speaks MongoDB's protocol, for the demo and the tests: `nx-27017`, which keeps documents in SQLite.

It is not MongoDB. What differs and was seen with version 0.8: regular expressions, timestamps, decimals and the keys
MinKey and MaxKey cannot be stored; code becomes a string, a binary subtype is lost, a small 64-bit integer comes back
with 32 bits; values of different types are compared with each other, and `$type` has no date; and its change
streams give dates and ObjectIds in its own notation and take any token for now. So collections are read by keys here,
and the tests of change streams use a scripted server, or a real one (`MONGODB_URI`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from analytics_platform.demo.servers import LOOPBACK, serve_module

_MODULE = "analytics_platform.demo.servers.mongo_server"


def serve_mongo(data: Path | None = None, port: int = 0) -> AbstractContextManager[str]:
    """Serve in a child process on loopback, on a free port for 0; yields the connection string.

    Databases are kept in the folder `data`, or in memory without it. The child ends with this process, however that
    ends. Raises `LocalServerError`.
    """
    return serve_module(_MODULE, str(data or "memory"), str(port))


async def _serve(data: str, port: int) -> None:
    """Serve, print the connection string, and end when the parent closes its end of the pipe."""
    # only the child needs these, and they take a third of a second to import
    from nx_27017.handler import NeoSQLiteHandler  # type: ignore[import-untyped]
    from nx_27017.server import handle_client  # type: ignore[import-untyped]

    handler = NeoSQLiteHandler(data_dir=data)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle_client(reader, writer, handler)

    try:
        server = await asyncio.start_server(answer, LOOPBACK, port)
    except OSError:
        print(f"port {port} is taken", flush=True)
        return
    print(f"mongodb://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/?directConnection=true", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections may still be open, and every write is committed


if __name__ == "__main__":
    logging.disable()  # the server logs what clients send
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
