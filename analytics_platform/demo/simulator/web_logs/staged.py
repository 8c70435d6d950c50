"""Users made by hand, each for one rule that chance might miss; events after the last day fall away.

Ids of customers are below `population.STAGED`; some of them have messages, too (`messages.staged`).
"""

from typing import NamedTuple

from analytics_platform.demo.simulator.event import DAY, HOUR, MINUTE
from analytics_platform.demo.simulator.messages.staged import LATE_LOG_USER, NIGHT_USER, PAUSE_USER
from analytics_platform.demo.simulator.population import Population
from analytics_platform.demo.simulator.web_logs.event import LogEvent

TIE_USER, SAME_TIME_USER, NO_VIEW_USER = range(9, 12)
"""A favourite among equals is the one viewed latest, then the smallest name; who views nothing has none."""

_FIRST, _SECOND = "Audífonos, negro", "Bed Frame, solid oak"


class StagedLogs(NamedTuple):
    """Events that arrive with their day, and events that arrive late."""

    on_time: tuple[LogEvent, ...]
    late: tuple[LogEvent, ...]


def stage_logs(start: int, population: Population) -> StagedLogs:
    """Every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    noon = start + 12 * HOUR
    return StagedLogs(
        on_time=(
            _log(PAUSE_USER, noon + 25 * MINUTE, "click_review"),
            _log(NIGHT_USER, start + DAY + 10 * MINUTE, "view_item"),
            *(_log(TIE_USER, noon + minute * MINUTE, "view_item", _FIRST) for minute in (0, 9)),
            *(_log(TIE_USER, noon + minute * MINUTE, "view_item", _SECOND) for minute in (3, 6)),
            _log(SAME_TIME_USER, noon, "view_item", _SECOND),
            _log(SAME_TIME_USER, noon, "view_item", _FIRST),
            _log(NO_VIEW_USER, noon, "add_to_cart"),
            *(_log(user_id, noon, "view_item") for user_id in population.strangers),
        ),
        late=(
            _log(LATE_LOG_USER, noon + 25 * MINUTE, "view_item"),
            _log(TIE_USER, noon + 10 * MINUTE, "view_item", _SECOND),
            *(_log(user_id, noon + HOUR, "view_item") for user_id in population.strangers),
        ),
    )


def _log(user_id: int, at: int, action: str, item_name: str = _FIRST) -> LogEvent:
    """One interaction of one user."""
    return LogEvent(user_id, at, action, item_name, "Mobile", 12_345)
