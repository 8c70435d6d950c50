"""Clients and users made by hand, each for one rule that chance might miss; events after the last day are left out."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from analytics_platform.demo.simulator.catalogue import APP_LISTS, APP_PRODUCTS, PEOPLE, PRODUCTS, SHOP
from analytics_platform.demo.simulator.events import DAY, HOUR, LOGIN, MINUTE, SECOND, USER, Event, Item, Population
from analytics_platform.demo.simulator.forms import describe_order
from analytics_platform.demo.simulator.money import give_back, tell_order
from analytics_platform.demo.simulator.visits import hash_email

_BED, _PILLOWS = PRODUCTS[0].item(PRODUCTS[0].variants[3], 1), PRODUCTS[14].item(PRODUCTS[14].variants[2], 2)
_GIFT_CARD = PRODUCTS[29].item(quantity=1)
_BULK_BYTES = 1_000_000
_BULK_TEXT = 'Größe 14" x 63", sehr bequem. '


class Staged(NamedTuple):
    """Events that arrive with their day, and events that arrive late."""

    on_time: tuple[Event, ...]
    late: tuple[Event, ...]


def stage_clicks(start: int) -> Staged:
    """Make the clickstream's events, for traffic whose first day begins at `start` (milliseconds since 1970)."""
    on_time = (_stage_pauses, _stage_midnights, _stage_orders, _stage_money, _stage_texts, _stage_before_late)
    return Staged(tuple(event for stage in on_time for event in stage(start)), _stage_late(start))


def _view(client_id: str, *times: int) -> tuple[Event, ...]:
    """Make page views of one client at these times."""
    return tuple(Event(client_id, at, "page_viewed", page_url=f"{SHOP}/", user_agent=PEOPLE[0]) for at in times)


def _order(
    client_id: str,
    at: int,
    transaction_id: str,
    basket: Sequence[Item] = (_BED, _PILLOWS),
    *told: str,
    over_lines: bool = False,
) -> Event:
    """Make an order confirmed at this time, `told` in a currency and a way; an order of no items costs nothing."""
    purchase, items = tell_order(transaction_id, basket, *told)
    return Event(
        client_id,
        at,
        "checkout_completed",
        purchase=purchase,
        page_url=f"{SHOP}/checkout/thank-you",
        referrer=f"{SHOP}/checkout",
        data=describe_order(purchase, items, hash_email(len(client_id)), over_lines=over_lines),
        user_agent=PEOPLE[2],
    )


def _stage_pauses(start: int) -> tuple[Event, ...]:
    """Make pauses at the 30-minute edge: the first does not split, the other two do."""
    noon = start + 12 * HOUR
    return (
        *_view("edge-exactly-30-minutes", noon, noon + 30 * MINUTE),
        *_view("edge-one-millisecond-more", noon, noon + 30 * MINUTE + 1),
        *_view("edge-one-second-more", noon, noon + 30 * MINUTE + SECOND),
    )


def _stage_midnights(start: int) -> tuple[Event, ...]:
    """Make visits over midnight, which are one session; one that goes on through a second midnight is cut there."""
    midnight = start + DAY
    return (
        *_view("midnight-crosser", midnight - 10 * MINUTE, midnight + 10 * MINUTE),
        *_view("midnight-exactly", midnight - 30 * MINUTE, midnight),
        *_view("midnight-last-millisecond", midnight - 1, midnight + 30 * MINUTE - 1),
        *_view("midnight-twice", *range(midnight - HOUR, midnight + DAY + HOUR, 25 * MINUTE)),
    )


def _stage_orders(start: int) -> tuple[Event, ...]:
    """Make orders of an id used twice, of nothing, sent again, and corrected a day later (the earliest wins)."""
    noon = start + 12 * HOUR
    return (
        _order("order-same-id-one", noon, "5000000000001"),
        _order("order-same-id-two", noon + HOUR, "5000000000001"),
        _order("order-of-nothing", noon, "5000000000002", ()),
        _order("order-sent-again", noon, "5000000000003"),
        _order("order-sent-again", noon + 7 * MINUTE, "5000000000003"),
        _order("order-corrected", noon, "5000000000004"),
        _order("order-corrected", noon + DAY, "5000000000004", (_BED,)),
        *(
            _order("library-computer", noon + hour * HOUR + MINUTE, f"500000000008{hour}", (_BED,))._replace(user=user)
            for hour, user in enumerate((*LIBRARY[:2], 0))
        ),
    )


def _stage_money(start: int) -> tuple[Event, ...]:
    """Make orders of unknown value, of one told minutes later, and in every currency; two are refunded."""
    noon = start + 12 * HOUR
    ways = (("USD", "text"), ("GBP", "line totals"), ("JPY", "number"), ("EUR", "nothing"), ("EUR", "items"))
    orders = [_order(f"told-{'-'.join(told)}", noon, "5000000000006", (_PILLOWS,), *told) for told in ways]
    return (
        *orders,
        give_back(orders[0], (_PILLOWS,), "item", HOUR),
        give_back(orders[1], (_PILLOWS,), "whole", DAY),
        _order("told-later", noon, "5000000000007", (_BED,), "EUR", "nothing"),
        _order("told-later", noon + MINUTE, "5000000000007", (_BED,)),
    )


def _stage_texts(start: int) -> tuple[Event, ...]:
    """Make event data over several lines, and on the third day one record of about a megabyte."""
    pretty = (
        _order("data-over-lines", start + day * DAY + 15 * HOUR, f"500000000010{day}", over_lines=True)
        for day in range(5)
    )
    text = _BULK_TEXT * (_BULK_BYTES // len(json.dumps(_BULK_TEXT, ensure_ascii=False).encode()))
    data = json.dumps({"page_text": text}, ensure_ascii=False)
    (bulk,) = _view("data-of-a-megabyte", start + 2 * DAY + 9 * HOUR)
    return (*pretty, bulk._replace(data=data))


def _stage_before_late(start: int) -> tuple[Event, ...]:
    """Make the half of the late clients' events that arrives on time."""
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
        *_view("late-login", noon, noon + DAY),
        _order("late-first-order", noon + DAY, "5000000000005"),
    )


def _stage_late(start: int) -> tuple[Event, ...]:
    """Make the late half: it joins two sessions, moves two starts and an order, and adds a session.

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
        _order("late-first-order", noon, "5000000000005", (_BED, _PILLOWS, _GIFT_CARD)),
    )


PAUSE_USER, EDGE_USER, LATE_USER, ORDER_USER, SAME_ID_USER, LATE_ORDER_USER, LATE_LOG_USER, NIGHT_USER = range(1, 9)
"""Pauses: one that a log fills, one of exactly 30 minutes, one that a late message fills; three with orders; then a
pause that a late log fills, and a visit that goes on over midnight in the logs."""

FAMILY, LIBRARY, TWO_BROWSERS_USER, LATE_LOGIN_USER = (12, 13), (14, 15, 16, 17), 18, 19
"""Users of one browser, who are one person; more than may share one; one of two browsers; one who signs in late."""


def stage_messages(start: int) -> Staged:
    """Make the app's events, for traffic whose first day begins at `start` (milliseconds since 1970)."""
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
            *_sign_in("family-tablet", noon, *FAMILY),
            *_sign_in("library-computer", noon, *LIBRARY),
            *(_sign_in(f"browser-{number}", noon, TWO_BROWSERS_USER)[0] for number in (1, 2)),
        ),
        late=(
            *_view_item(LATE_USER, noon + 20 * MINUTE),
            _buy_item(LATE_ORDER_USER, noon, "5000000000005", 2),
            *_sign_in("late-login", noon + MINUTE, LATE_LOGIN_USER),
        ),
    )


def _sign_in(client_id: str, at: int, *users: int) -> tuple[Event, ...]:
    """Make logins of users on one browser, an hour from one to the next."""
    return tuple(Event(client_id, at + number * HOUR, LOGIN, user=user) for number, user in enumerate(users))


def _view_item(user_id: int, *times: int) -> tuple[Event, ...]:
    """Make one user's views of a product, at these times."""
    item = APP_LISTS[0].items[0]._replace(quantity=1)
    return tuple(Event(f"{USER}{user_id}", at, "view_item", (item,)) for at in times)


def _buy_item(user_id: int, at: int, transaction_id: str, quantity: int) -> Event:
    """Make a purchase of `quantity` pieces of one product of a list."""
    item = APP_LISTS[1].items[1]._replace(quantity=quantity)
    purchase, _ = tell_order(transaction_id, [item])
    return Event(f"{USER}{user_id}", at, "purchase", (item._replace(total=purchase.cents),), purchase)


TIE_USER, SAME_TIME_USER, NO_VIEW_USER = range(9, 12)
"""A favourite among equals is the one viewed latest, then the smallest name; who views nothing has none."""

_FIRST, _SECOND = APP_PRODUCTS[30].item(), PRODUCTS[7].item()  # "Audífonos, negro" is before "Bed Frame, solid oak"


def stage_logs(start: int, population: Population) -> Staged:
    """Make the logged events, for traffic whose first day begins at `start` (milliseconds since 1970)."""
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


def _log(user_id: int, at: int, action: str, item: Item = _FIRST) -> Event:
    """Make one interaction of one user."""
    return Event(f"{USER}{user_id}", at, action, (item,), device="Mobile", session_id=12_345)
