"""Running the local queue: alone, in a thread, or in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from analytics_platform.demo.servers.sqs_server.actions import Service
from analytics_platform.demo.servers.sqs_server.faults import CHANCES, Faults
from analytics_platform.demo.servers.sqs_server.http import Connection

LOOPBACK = "127.0.0.1"


async def _listen(service: Service, host: str, port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), host, port)
    bound = server.sockets[0].getsockname()
    service.url = f"http://{bound[0]}:{bound[1]}"
    return server


@contextmanager
def serve(faults: Faults | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a thread of this process; yields the endpoint's URL. `faults` may be changed meanwhile.

    Raises `OSError` if the port is taken.
    """
    service, loop = Service(faults or Faults()), asyncio.new_event_loop()
    server = loop.run_until_complete(_listen(service, LOOPBACK, port))
    thread = threading.Thread(target=loop.run_forever, name="sqs-server", daemon=True)
    thread.start()
    try:
        yield service.url
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def serve_in_process(faults: Faults | None = None, port: int = 0) -> Iterator[str]:
    """Serve in a process of its own, which ends with this one; yields the endpoint's URL.

    Raises `OSError` if it does not start. Of `faults` the seed and the chances are handed over.
    """
    chosen = faults or Faults()
    command = [
        sys.executable,
        "-m",
        "analytics_platform.demo.servers.sqs_server",
        "--port",
        str(port),
        "--until-stdin-ends",
    ]
    command += [f"--seed={chosen.seed}", *(f"--{_option(name)}={getattr(chosen, name)}" for name in CHANCES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise OSError(f"the local queue did not start on port {port}")
            yield url
        finally:
            process.terminate()


def _option(name: str) -> str:
    return name.replace("_", "-")


def main() -> None:
    """Read the arguments, print the address, serve until interrupted."""
    parser = argparse.ArgumentParser(prog="sqs_server", description="A local SQS for AWS_ENDPOINT_URL.")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=9324, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    for name in CHANCES:
        parser.add_argument(f"--{_option(name)}", type=float, default=0.0, metavar="CHANCE", help="0 to 1")
    parser.add_argument("--until-stdin-ends", action="store_true", help="stop when whoever holds stdin is gone")
    arguments = vars(parser.parse_args())
    host, port, bounded = arguments.pop("host"), arguments.pop("port"), arguments.pop("until_stdin_ends")
    try:
        asyncio.run(_serve_forever(Service(Faults(**arguments)), host, port, bounded))
    except KeyboardInterrupt:
        return
    except OSError as error:
        sys.exit(f"sqs_server: cannot listen on {host}:{port}: {error.strerror}.")


async def _serve_forever(service: Service, host: str, port: int, until_stdin_ends: bool) -> None:
    server = await _listen(service, host, port)
    print(service.url, flush=True)
    if not until_stdin_ends:
        await server.serve_forever()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
