"""What can go wrong with an API, and what was tried before."""

from __future__ import annotations

from dataclasses import dataclass

from analytics_platform.errors import UserError


@dataclass(frozen=True, slots=True)
class Retry:
    """One attempt at a page that failed and was followed by another, `waited_s` seconds later."""

    page: int
    reason: str
    waited_s: float


class RestError(UserError):
    """An API could not be read; nothing of the answer is used.

    The message is one sentence that names source, page, address (without secrets), what happened and what to do.
    `status` is the HTTP status, if the API answered. `retries` are the attempts made before the last one.
    """

    def __init__(self, message: str, status: int | None = None, retries: tuple[Retry, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.retries = retries


class BadAnswerError(Exception):
    """An attempt failed. A `lasting` failure would come again, the others may pass if tried again.

    `retry_after_s` is how long the API asks to wait. For use inside this package: `fetch` raises `RestError`.
    """

    def __init__(
        self,
        what: str,
        remedy: str = "run again later",
        *,
        status: int | None = None,
        lasting: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.status = status
        self.lasting = lasting
        self.retry_after_s = retry_after_s
