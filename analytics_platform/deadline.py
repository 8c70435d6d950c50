"""A deadline for calls whose library has none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

AnyT = TypeVar("AnyT")


class DeadlineError(Exception):
    """A call took longer than it may."""


def within(seconds: float, call: Callable[[], AnyT]) -> AnyT:
    """Return what `call` returns, or raise what it raises. Raises `DeadlineError` after `seconds`.

    `call` runs in a thread. After the deadline it goes on there, and its result is dropped. It does not keep the
    process alive.
    """
    outcome: Future[AnyT] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            outcome.set_exception(error)

    threading.Thread(target=run, name="deadline", daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError as error:
        if outcome.done():
            raise  # of the call itself
        raise DeadlineError from error
