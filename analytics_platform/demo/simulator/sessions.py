"""The session rule in plain Python, written apart from the platform's SQL so that one can check the other.

A session starts at an event that follows a pause of strictly more than 30 minutes of elapsed time (a client's
first event ever counts as one), and at the first event of a UTC day if that client had no pause-made start on
the day before (DESIGN section 4).
"""

from collections.abc import Iterable
from typing import NamedTuple

from analytics_platform.demo.simulator.event import DAY, MINUTE

LONGEST_PAUSE = 30 * MINUTE
"""Milliseconds; a pause of exactly this length does not end a session."""


class Session(NamedTuple):
    """A session of one client: when it starts (milliseconds since 1970) and how many events it has."""

    starts_at: int
    events: int


def find_sessions(times: Iterable[int]) -> list[Session]:
    """Sessions of one client from the times of its events (milliseconds since 1970, any order)."""
    sessions: list[Session] = []
    starts_at, events = 0, 0
    last_at: int | None = None
    last_pause_day: int | None = None
    for at in sorted(times):
        day = at // DAY
        after_pause = last_at is None or at - last_at > LONGEST_PAUSE
        first_of_day = last_at is None or day != last_at // DAY
        if after_pause or (first_of_day and last_pause_day != day - 1):
            if events:
                sessions.append(Session(starts_at, events))
            starts_at, events = at, 0
        if after_pause:
            last_pause_day = day
        events += 1
        last_at = at
    if events:
        sessions.append(Session(starts_at, events))
    return sessions
