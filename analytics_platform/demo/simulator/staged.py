"""Clients made by hand, each for one rule that chance might miss; events after the last day fall away."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from analytics_platform.demo.simulator.agents import PEOPLE
from analytics_platform.demo.simulator.catalogue import PRODUCTS, SHOP
from analytics_platform.demo.simulator.event import DAY, HOUR, MINUTE, SECOND, Event
from analytics_platform.demo.simulator.payloads import Line, describe_order, hash_email, make_purchase

_LINES = (Line(PRODUCTS[0], PRODUCTS[0].variants[3], 1), Line(PRODUCTS[14], PRODUCTS[14].variants[2], 2))
_GIFT_CARD = Line(PRODUCTS[29], PRODUCTS[29].variants[0], 1)
_BULK_BYTES = 1_000_000
_BULK_TEXT = 'Größe 14" x 63", sehr bequem. '


class Staged(NamedTuple):
    """Events that arrive with their day, and events that arrive late."""

    on_time: tuple[Event, ...]
    late: tuple[Event, ...]


def stage_events(start: int) -> Staged:
    """Every hand-made event, for traffic whose first day begins at `start` (milliseconds since 1970)."""
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
        _order(
            "data-over-lines",
            start + day * DAY + 15 * HOUR,
            f"500000000010{day}",
            over_lines=True,
        )
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
