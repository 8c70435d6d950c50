"""Users made by hand, each for one rule that chance might miss; events after the last day fall away."""

from typing import NamedTuple

from analytics_platform.demo.simulator.event import DAY, HOUR, MINUTE
from analytics_platform.demo.simulator.messages.catalogue import APP_LISTS
from analytics_platform.demo.simulator.messages.event import AppEvent
from analytics_platform.demo.simulator.messages.visits import make_purchase

PAUSE_USER, EDGE_USER, LATE_USER, ORDER_USER, SAME_ID_USER, LATE_ORDER_USER, LATE_LOG_USER, NIGHT_USER = range(1, 9)
"""Pauses: one that a log fills, one of exactly 30 minutes, one that a late message fills; three with orders; then a
pause that a late log fills, and a visit that goes on over midnight in the logs."""


class StagedMessages(NamedTuple):
    """Events that arrive with their day, and events that arrive late."""

    on_time: tuple[AppEvent, ...]
    late: tuple[AppEvent, ...]


def stage_messages(start: int) -> StagedMessages:
    """Every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    noon = start + 12 * HOUR
    return StagedMessages(
        on_time=(
            *_view(PAUSE_USER, noon, noon + 50 * MINUTE),
            *_view(EDGE_USER, noon, noon + 30 * MINUTE, noon + 60 * MINUTE + 1),
            *_view(LATE_USER, noon, noon + 45 * MINUTE),
            *_view(LATE_LOG_USER, noon, noon + 50 * MINUTE),
            *_view(NIGHT_USER, start + DAY - 15 * MINUTE),
            _order(ORDER_USER, noon, "5000000000003", 1),
            _order(ORDER_USER, noon + 7 * MINUTE, "5000000000003", 1),
            _order(ORDER_USER, noon + DAY, "5000000000003", 2),
            _order(SAME_ID_USER, noon, "5000000000003", 3),
            _order(LATE_ORDER_USER, noon + DAY, "5000000000005", 1),
        ),
        late=(
            *_view(LATE_USER, noon + 20 * MINUTE),
            _order(LATE_ORDER_USER, noon, "5000000000005", 2),
        ),
    )


def _view(user_id: int, *times: int) -> tuple[AppEvent, ...]:
    """One user's looks at a product, at these times."""
    item = APP_LISTS[0].items[0]._replace(quantity=1)
    return tuple(AppEvent(user_id, at, "view_item", (item,)) for at in times)


def _order(user_id: int, at: int, transaction_id: str, quantity: int) -> AppEvent:
    """So many pieces of one product bought from a list."""
    item = APP_LISTS[1].items[1]._replace(quantity=quantity)
    cents = item.cents * quantity
    purchase = make_purchase(transaction_id, [item])
    return AppEvent(user_id, at, "purchase", (item._replace(total=cents),), purchase)
