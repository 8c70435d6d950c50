"""What can go wrong with an API."""

from __future__ import annotations

from dataclasses import dataclass

from analytics_platform.errors import UserError


class RestError(UserError):
    """An API could not be read; nothing of the answer is used.

    The message is one sentence that names source, page, address (without secrets), what happened and what to do.
    `status` is the HTTP status, if the API answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class BadAnswerError(Exception):
    """An attempt failed. A `lasting` failure would come again, the others may pass if tried again.

    `retry_after_s` is how long the API asks to wait. For use inside this package: `fetch` raises `RestError`.
    """

    what: str
    remedy: str = "run again later"
    status: int | None = None
    lasting: bool = True
    retry_after_s: float | None = None
