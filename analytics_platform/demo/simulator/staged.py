"""Clients and users made by hand, each for one rule that chance might miss; events after the last day fall away."""

import json
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from analytics_platform.demo.simulator.bodies import Line, describe_order, hash_email, make_purchase
from analytics_platform.demo.simulator.catalogue import APP_LISTS, PEOPLE, PRODUCTS, SHOP
from analytics_platform.demo.simulator.events import DAY, HOUR, MINUTE, SECOND, AppEvent, Event, LogEvent, Population
from analytics_platform.demo.simulator.visits import make_item_purchase

_LINES = (Line(PRODUCTS[0], PRODUCTS[0].variants[3], 1), Line(PRODUCTS[14], PRODUCTS[14].variants[2], 2))
_GIFT_CARD = Line(PRODUCTS[29], PRODUCTS[29].variants[0], 1)
_BULK_BYTES = 1_000_000
_BULK_TEXT = 'Größe 14" x 63", sehr bequem. '


EventT = TypeVar("EventT")


class Staged(NamedTuple, Generic[EventT]):
    """Events that arrive with their day, and events that arrive late."""

    on_time: tuple[EventT, ...]
    late: tuple[EventT, ...]


def stage_events(start: int) -> Staged[Event]:
    """Make every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    return Staged(
        on_time=(
            *_stage_pauses(start),
            *_stage_midnights(start),
            *_stage_orders(start),
            *_stage_texts(start),
            *_stage_before_late(start),
        ),
        late=_stage_late(start),
    )


def _view(client_id: str, *times: int) -> tuple[Event, ...]:
    """Page views of one client at these times."""
    return tuple(Event(client_id, at, "page_viewed", f"{SHOP}/", "", "", PEOPLE[0]) for at in times)


def _order(
    client_id: str, at: int, transaction_id: str, lines: Sequence[Line] = _LINES, *, over_lines: bool = False
) -> Event:
    """An order confirmed at this time; no lines means no money and the one item of nulls."""
    purchase = make_purchase(transaction_id, lines)
    data = describe_order(purchase, lines, hash_email(len(client_id)), over_lines=over_lines)
    url = f"{SHOP}/checkout/thank-you"
    return Event(client_id, at, "checkout_completed", url, f"{SHOP}/checkout", data, PEOPLE[2], purchase=purchase)


def _stage_pauses(start: int) -> tuple[Event, ...]:
    """Pauses at the 30-minute edge: the first does not split, the other two do."""
    noon = start + 12 * HOUR
    return (
        *_view("edge-exactly-30-minutes", noon, noon + 30 * MINUTE),
        *_view("edge-one-millisecond-more", noon, noon + 30 * MINUTE + 1),
        *_view("edge-one-second-more", noon, noon + 30 * MINUTE + SECOND),
    )


def _stage_midnights(start: int) -> tuple[Event, ...]:
    """Visits over midnight are one session; one that goes on through a second midnight is cut there."""
    midnight = start + DAY
    return (
        *_view("midnight-crosser", midnight - 10 * MINUTE, midnight + 10 * MINUTE),
        *_view("midnight-exactly", midnight - 30 * MINUTE, midnight),
        *_view("midnight-last-millisecond", midnight - 1, midnight + 30 * MINUTE - 1),
        *_view("midnight-twice", *range(midnight - HOUR, midnight + DAY + HOUR, 25 * MINUTE)),
    )


def _stage_orders(start: int) -> tuple[Event, ...]:
    """Orders of an id used twice, of nothing, sent again, and corrected a day later (the earliest wins)."""
    noon = start + 12 * HOUR
    return (
        _order("order-same-id-one", noon, "5000000000001"),
        _order("order-same-id-two", noon + HOUR, "5000000000001"),
        _order("order-of-nothing", noon, "5000000000002", ()),
        _order("order-sent-again", noon, "5000000000003"),
        _order("order-sent-again", noon + 7 * MINUTE, "5000000000003"),
        _order("order-corrected", noon, "5000000000004"),
        _order("order-corrected", noon + DAY, "5000000000004", _LINES[:1]),
    )


def _stage_texts(start: int) -> tuple[Event, ...]:
    """Event data over several lines, and on the third day one record of about a megabyte."""
    pretty = (
        _order("data-over-lines", start + day * DAY + 15 * HOUR, f"500000000010{day}", over_lines=True)
        for day in range(5)
    )
    text = _BULK_TEXT * (_BULK_BYTES // len(json.dumps(_BULK_TEXT, ensure_ascii=False).encode()))
    data = json.dumps({"page_text": text}, ensure_ascii=False)
    (bulk,) = _view("data-of-a-megabyte", start + 2 * DAY + 9 * HOUR)
    return (*pretty, bulk._replace(data=data))


def _stage_before_late(start: int) -> tuple[Event, ...]:
    """The half of the late clients' events that arrives on time."""
    noon = start + 12 * HOUR
    midnight = start + DAY
    next_noon = midnight + 12 * HOUR
    before_pause = range(midnight - 2 * HOUR, next_noon + 1, 20 * MINUTE)
    after_pause = range(next_noon + 31 * MINUTE, midnight + DAY + 2 * HOUR, 20 * MINUTE)
    return (
        *_view("late-fills-pause", noon, noon + 31 * MINUTE),
        *_view("late-earlier-start", noon, noon + 5 * MINUTE),
        *_view("late-before-midnight", midnight + 5 * MINUTE, midnight + 9 * MINUTE),
        *_view("late-kiosk", *before_pause, *after_pause),
        _order("late-first-order", noon + DAY, "5000000000005"),
    )


def _stage_late(start: int) -> tuple[Event, ...]:
    """The late half: it joins two sessions, moves two starts and an order, and adds a session.

    The kiosk's late event fills the only pause of its second day, so that its third day begins with a cut.
    """
    noon = start + 12 * HOUR
    midnight = start + DAY
    return (
        *_view("late-fills-pause", noon + 15 * MINUTE),
        *_view("late-earlier-start", noon - 10 * MINUTE),
        *_view("late-before-midnight", midnight - 5 * MINUTE),
        *_view("late-kiosk", midnight + 12 * HOUR + 15 * MINUTE),
        *_view("late-alone", noon),
        _order("late-first-order", noon, "5000000000005", (*_LINES, _GIFT_CARD)),
    )


PAUSE_USER, EDGE_USER, LATE_USER, ORDER_USER, SAME_ID_USER, LATE_ORDER_USER, LATE_LOG_USER, NIGHT_USER = range(1, 9)
"""Pauses: one that a log fills, one of exactly 30 minutes, one that a late message fills; three with orders; then a
pause that a late log fills, and a visit that goes on over midnight in the logs."""


def stage_messages(start: int) -> Staged[AppEvent]:
    """Make every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    noon = start + 12 * HOUR
    return Staged(
        on_time=(
            *_view_item(PAUSE_USER, noon, noon + 50 * MINUTE),
            *_view_item(EDGE_USER, noon, noon + 30 * MINUTE, noon + 60 * MINUTE + 1),
            *_view_item(LATE_USER, noon, noon + 45 * MINUTE),
            *_view_item(LATE_LOG_USER, noon, noon + 50 * MINUTE),
            *_view_item(NIGHT_USER, start + DAY - 15 * MINUTE),
            _buy_item(ORDER_USER, noon, "5000000000003", 1),
            _buy_item(ORDER_USER, noon + 7 * MINUTE, "5000000000003", 1),
            _buy_item(ORDER_USER, noon + DAY, "5000000000003", 2),
            _buy_item(SAME_ID_USER, noon, "5000000000003", 3),
            _buy_item(LATE_ORDER_USER, noon + DAY, "5000000000005", 1),
        ),
        late=(*_view_item(LATE_USER, noon + 20 * MINUTE), _buy_item(LATE_ORDER_USER, noon, "5000000000005", 2)),
    )


def _view_item(user_id: int, *times: int) -> tuple[AppEvent, ...]:
    """One user's looks at a product, at these times."""
    item = APP_LISTS[0].items[0]._replace(quantity=1)
    return tuple(AppEvent(user_id, at, "view_item", (item,)) for at in times)


def _buy_item(user_id: int, at: int, transaction_id: str, quantity: int) -> AppEvent:
    """So many pieces of one product bought from a list."""
    item = APP_LISTS[1].items[1]._replace(quantity=quantity)
    cents = item.cents * quantity
    purchase = make_item_purchase(transaction_id, [item])
    return AppEvent(user_id, at, "purchase", (item._replace(total=cents),), purchase)


TIE_USER, SAME_TIME_USER, NO_VIEW_USER = range(9, 12)
"""A favourite among equals is the one viewed latest, then the smallest name; who views nothing has none."""

_FIRST, _SECOND = "Audífonos, negro", "Bed Frame, solid oak"


def stage_logs(start: int, population: Population) -> Staged[LogEvent]:
    """Make every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    noon = start + 12 * HOUR
    return Staged(
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
