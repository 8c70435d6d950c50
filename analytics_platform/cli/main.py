"""Starts the command line, and ends it at a signal. Imports little before it can be stopped so."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line. Ctrl-C ends it with exit code 130 and SIGTERM with 143, in one sentence once it works."""
    _handle_stops(_leave)
    from analytics_platform.cli.commands import run_command
    from analytics_platform.errors import STOPPED

    # What a handler raises may arrive as another error: Dagster has its own handlers, DuckDB raises a RuntimeError.
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    _handle_stops(signal.default_int_handler)
    try:
        run_command()
    except BaseException as error:
        _handle_stops(_leave)
        os.write(write_end, b"\0")  # so that there is something to read
        stops = [number for number in os.read(read_end, 512) if number in _STOPS]
        if not stops or (isinstance(error, SystemExit) and not error.code):  # `follow` ends well at a signal
            raise
        print(f"analytics-platform: {STOPPED}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        _leave(stops[0], None)  # Python itself would end by SIGINT if C code had hidden a KeyboardInterrupt


def _handle_stops(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in _STOPS:
        signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    """End the process where nothing is left to put in order: before a command begins, and after it."""
    os._exit(128 + number)


if __name__ == "__main__":
    main()
