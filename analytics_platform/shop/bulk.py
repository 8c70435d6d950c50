"""Many orders, placed one by one through the service, several at a time: for simulations and migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from analytics_platform.shop.domain import Order
from analytics_platform.shop.errors import OrderRefusedError
from analytics_platform.shop.orders import Wish
from analytics_platform.shop.service import Shop

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many wishes: the orders, and what was refused with the reason, each in the order of the wishes."""

    orders: Sequence[Order]
    refused: Sequence[tuple[Wish, OrderRefusedError]]


def place_orders(shop: Shop, wishes: Iterable[Wish], at_once: int = AT_ONCE) -> Outcome:
    """Place them all. What follows them is done together at the end, as far as it can be.

    A refusal is an outcome, not an error. Raises `ShopUnavailableError` if the database goes away: the same wishes
    again place what is missing, and nothing twice.
    """
    wishes = list(wishes)
    with ThreadPoolExecutor(at_once) as threads:
        placed = list(threads.map(_placing(shop), wishes))
    shop.drain_outbox()
    return Outcome(
        [order for order in placed if isinstance(order, Order)],
        [(wish, order) for wish, order in zip(wishes, placed, strict=True) if isinstance(order, OrderRefusedError)],
    )


def _placing(shop: Shop) -> Callable[[Wish], Order | OrderRefusedError]:
    def place(wish: Wish) -> Order | OrderRefusedError:
        try:
            return shop.place_order(wish.cart, wish.customer_id, wish.order_key, wish.ordered_at, follow_up=False)
        except OrderRefusedError as error:
            return error

    return place
