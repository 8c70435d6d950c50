"""Lets a signal end a long query."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb

from analytics_platform.errors import QUERY_STOPPED


@contextmanager
def stopped_by_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt`, which breaks off a query of DuckDB, when a signal stops the process in a `with` block.

    Raises `KeyboardInterrupt` for what DuckDB raises then. Signals come to the main thread: others are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # DuckDB itself looks for signals between two of its tasks, and a task may last for minutes: a join of few rows
    # with many. Python runs no handler before the query ends. So a thread waits for the number of the signal.
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end)
    listener = threading.Thread(target=_listen, args=(read_end, before, interrupt), daemon=True)
    listener.start()
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if QUERY_STOPPED in str(error):
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.set_wakeup_fd(before)
        os.close(write_end)  # so that the thread ends
        listener.join()
        os.close(read_end)


def _listen(read_end: int, before: int, interrupt: Callable[[], None]) -> None:
    """Interrupt at each signal that means to stop, and tell who listened before."""
    while number := os.read(read_end, 1):
        if number[0] in (signal.SIGINT, signal.SIGTERM):
            interrupt()
        if before >= 0:
            os.write(before, number)
