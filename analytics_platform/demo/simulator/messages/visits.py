"""Visits to the app, from the first list to the last click."""

from collections.abc import Iterable
from random import Random

from analytics_platform.demo.simulator.baskets import draw_transaction_id
from analytics_platform.demo.simulator.event import SECOND, Bought, Purchase
from analytics_platform.demo.simulator.messages.catalogue import (
    APP_LISTS,
    APP_PRODUCTS,
    LIST_WEIGHTS,
    AppList,
    describe,
)
from analytics_platform.demo.simulator.messages.event import AppEvent, Item
from analytics_platform.demo.simulator.visitor import draw_pause

_WHOLE_SECOND_SHARE = 0.25
_SHORTEST, _LONGEST = 10, 20
"""How many items of a list are shown."""


class AppVisit:
    """One visit being made: it knows the clock and the events so far."""

    def __init__(self, rng: Random, user_id: int, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970)."""
        self.events: list[AppEvent] = []
        self.rng = rng
        self._user_id = user_id
        self._at = starts_at

    def record(self, name: str, *items: Item, purchase: Purchase | None = None) -> None:
        """Something happens, and a pause follows; some events fall on a whole second."""
        if self.rng.random() < _WHOLE_SECOND_SHARE:
            self._at = -(-self._at // SECOND) * SECOND
        self.events.append(AppEvent(self._user_id, self._at, name, items, purchase))
        self._at += draw_pause(self.rng)


def make_app_visit(rng: Random, user_id: int, starts_at: int) -> list[AppEvent]:
    """The events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = AppVisit(rng, user_id, starts_at)
    fate = rng.random()
    if fate < 0.10:
        visit.record("app_open")
    elif fate < 0.18:
        _follow_push(visit)
    while _browse_list(visit) and rng.random() < 0.5:
        pass
    return visit.events


def _follow_push(visit: AppVisit) -> None:
    """A notification leads straight to a product, past any list."""
    visit.record("view_item", describe(visit.rng.choice(APP_PRODUCTS), 0)._replace(quantity=1))


def _browse_list(visit: AppVisit) -> bool:
    """Look at a list and perhaps at one of its products; False once the visit is over."""
    rng = visit.rng
    shown: AppList = rng.choices(APP_LISTS, weights=LIST_WEIGHTS)[0]
    length = rng.randint(_SHORTEST, _LONGEST)
    visit.record("view_item_list", *shown.items[:length])
    if rng.random() < 0.35:
        return False
    clicked = shown.items[min(length - 1, int(rng.expovariate(0.2)))]
    visit.record("select_item", clicked)
    visit.record("view_item", clicked._replace(quantity=1))
    if rng.random() < 0.2:
        _buy(visit, draw_basket(rng, clicked))
        return False
    return True


def draw_basket(rng: Random, clicked: Item) -> tuple[Item, ...]:
    """The product just seen and up to two more, each credited to a list of its own or to none."""
    coupon = "WELCOME10" if rng.random() < 0.15 else ""
    others = [each for each in APP_LISTS if each.name != clicked.list_name]
    basket = [clicked]
    for shown in rng.sample(others, rng.choice((0, 0, 0, 1, 2))):
        item = rng.choice(shown.items)
        if item.item_id not in {each.item_id for each in basket}:
            basket.append(item if rng.random() < 0.6 else item._replace(list_name="", list_index=None))
    return tuple(item._replace(quantity=rng.choice((1, 1, 1, 2)), coupon=coupon) for item in basket)


def total_cents(basket: tuple[Item, ...]) -> int:
    """What a basket costs, in cents."""
    return sum(item.cents * (item.quantity or 0) for item in basket)


def make_purchase(transaction_id: str, basket: Iterable[Item]) -> Purchase:
    """The order of a basket."""
    items = tuple(basket)
    bought = (Bought(item.item_id, item.variant, item.quantity or 0) for item in items)
    return Purchase(transaction_id, total_cents(items), tuple(bought))


def _buy(visit: AppVisit, basket: tuple[Item, ...]) -> None:
    """Cart, checkout and purchase, each step left by some; a few purchases are told twice, at two times."""
    rng = visit.rng
    visit.record("add_to_cart", *basket)
    if rng.random() < 0.4:
        return
    cents = total_cents(basket)
    paid = tuple(item._replace(total=cents) for item in basket)
    visit.record("begin_checkout", *paid)
    if rng.random() < 0.35:
        return
    purchase = make_purchase(draw_transaction_id(rng), basket)
    visit.record("purchase", *paid, purchase=purchase)
    if rng.random() < 0.04:
        visit.record("purchase", *paid, purchase=purchase)
