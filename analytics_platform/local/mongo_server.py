"""A server that speaks MongoDB's protocol, for the demo and the tests: `nx-27017`, which keeps documents in SQLite.

It is not MongoDB. What differs and was seen with version 0.8: regular expressions, timestamps, decimals and the keys
MinKey and MaxKey cannot be stored; code becomes a string, a binary subtype is lost, a small 64-bit integer comes back
with 32 bits; values of different types are compared with each other, and `$type` knows no date; and its change
streams give dates and ObjectIds in its own notation and take any token for now. So collections are read by keys here,
and the tests of change streams use a scripted server, or a real one (`MONGODB_URI`).

`python -m analytics_platform.local.mongo_server --port 27017` serves until interrupted.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOOK_EVERY = 0.02
_TRIES = 3


class MongoServerError(RuntimeError):
    """The local server did not start; the message says what to do."""


@contextmanager
def serve_mongo(data: Path | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a child process on loopback, on a free port for 0; yields the connection string.

    Databases are kept in the folder `data`, or in memory without it. Raises `MongoServerError`.
    """
    with tempfile.TemporaryDirectory(prefix="mongo_server_") as scratch:
        process, bound = _start(data, port, Path(scratch))
        try:
            yield f"mongodb://{LOOPBACK}:{bound}/?directConnection=true"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(data: Path | None, port: int, scratch: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server that answers. Another process may take a free port first, so a few are tried."""
    log = scratch / "log"
    for _ in range(1 if port else _TRIES):
        bound = port or _free_port()
        command = [sys.executable, "-m", "nx_27017.nx_27017", "--host", LOOPBACK, "--port", str(bound)]
        command += ["--data-dir", str(data.resolve()) if data else "memory"]
        command += ["--log-file", str(log), "--pid-file", str(scratch / "pid")]
        process = subprocess.Popen(command, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _answers(process, bound):
            return process, bound
    reason = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    last = reason.splitlines()[-1] if reason else "it said nothing"
    raise MongoServerError(f"The local MongoDB server did not start ({last}): install nx-27017 or take a free port.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; False if it ends before. Stops one that never does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return process.poll() is None
        time.sleep(_LOOK_EVERY)
    process.kill()
    process.wait()
    return False


def main() -> None:
    """Read the arguments, print the connection string, serve until interrupted."""
    parser = argparse.ArgumentParser(prog="mongo_server", description="A local MongoDB for MONGODB_URI.")
    parser.add_argument("--port", type=int, default=27017, help="0 takes a free one")
    parser.add_argument("--data", type=Path, help="folder to keep the databases in (default: in memory)")
    arguments = parser.parse_args()
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
