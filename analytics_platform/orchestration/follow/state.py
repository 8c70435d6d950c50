"""What the fast lane says of itself: a lock that it holds while it runs, and a file with its state. No Dagster."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from analytics_platform.errors import UserError
from analytics_platform.lake.durable import write_durably
from analytics_platform.settings import Settings

STALLED_AFTER = dt.timedelta(seconds=60)
"""A lane that says nothing, or has a message that waits, for this long is stalled."""

ENDED = "ended"


class LaneState(BaseModel):
    """How the lane is. `doing` is a sentence; `lag_s` the age of the oldest message that is not built yet."""

    at: dt.datetime
    pid: int
    doing: str
    messages: int = 0
    per_s: float = 0.0
    lag_s: float = 0.0
    last: str = ""

    def stalled(self, now: dt.datetime) -> str:
        """Say in a sentence that the lane is stalled, and what to do; empty if it works, or was ended."""
        silent = now - self.at
        if self.doing == ENDED or (silent < STALLED_AFTER and self.lag_s < STALLED_AFTER.total_seconds()):
            return ""
        if silent < STALLED_AFTER:
            return f"The fast lane is {self.lag_s:,.0f} s behind ({self.doing}): see its log."
        return (
            f"The fast lane (process {self.pid}) is silent since {self.at:%Y-%m-%d %H:%M:%S} UTC: start it again "
            "by `analytics-platform follow`, it goes on where it was."
        )

    def __str__(self) -> str:
        return f"{self.doing}; {self.per_s:,.1f} messages/s, lag {self.lag_s:,.1f} s; {self.last or 'no batch yet'}"


def _file(settings: Settings) -> Path:
    return settings.data_dir / "follow.json"


def write_state(settings: Settings, state: LaneState) -> None:
    """Say how the lane is, to whom reads the file."""
    write_durably(_file(settings), state.model_dump_json())


def read_state(settings: Settings) -> LaneState | None:
    """Read how the lane is; None if none ever ran here."""
    try:
        return LaneState.model_validate_json(_file(settings).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


@contextmanager
def only_lane(settings: Settings) -> Iterator[None]:
    """Hold the lock of the lane for the length of a `with` block. Raises `UserError` if another process has it."""
    with settings.data_dir.joinpath("follow.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(settings)
            who = f"Process {state.pid}" if state and state.pid != os.getpid() else "Another process"
            raise UserError(
                f"{who} follows already in DATA_DIR={settings.data_dir}: one is enough; stop it to start another."
            ) from None
        yield


def is_followed(settings: Settings) -> bool:
    """Return whether a lane runs: what arrives is its work then."""
    path = settings.data_dir / "follow.lock"
    if not path.exists():
        return False
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
