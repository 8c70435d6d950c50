"""The shop's interface: orders in PostgreSQL, their tasks in MongoDB and Redis, at once or later.

with open_shop(load_settings()) as shop:
    order = shop.place_order(shop.carts.get("customer:17"), 17, order_key="web/4711")
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

from analytics_platform.settings import Settings, SettingsError
from analytics_platform.shop import orders, outbox
from analytics_platform.shop.best_sellers import MOST, BestSellers
from analytics_platform.shop.breaker import CircuitBreaker
from analytics_platform.shop.carts import Carts
from analytics_platform.shop.database import Database
from analytics_platform.shop.domain import BestSeller, Cart, CartLine, Order
from analytics_platform.shop.errors import OrderRejectedError, ShopError, ShopUnavailableError
from analytics_platform.shop.orders import CLEAR_CART, COUNT_SALES, OrderRequest
from analytics_platform.shop.outbox import OutboxDrained, Payload, Task

LOG = logging.getLogger(__name__)

_COUNT = """
SELECT product_id, name, orders, quantity, revenue
FROM (
    SELECT product_id, count(DISTINCT order_id) AS orders, sum(quantity) AS quantity,
        sum(quantity * unit_price)::numeric(18, 4) AS revenue
    FROM shop.order_items JOIN shop.orders USING (order_id)
    WHERE status = 'placed'
    GROUP BY product_id
) AS sold JOIN shop.products USING (product_id)
ORDER BY quantity DESC, revenue DESC, product_id
LIMIT %s
"""


class Shop:
    """The order service; carts and cache are optional. Safe to share between threads."""

    def __init__(self, database: Database, carts: Carts | None = None, best_sellers: BestSellers | None = None) -> None:
        self.database = database
        self._carts = carts
        self._best_sellers = best_sellers
        self._breakers: Mapping[str, CircuitBreaker] = {CLEAR_CART: CircuitBreaker(), COUNT_SALES: CircuitBreaker()}

    @property
    def carts(self) -> Carts:
        """The carts. Raises `ShopError` if there are none."""
        if self._carts is None:
            raise ShopError("MONGODB_URI is not set: there are no carts.")
        return self._carts

    def place_order(
        self,
        cart: Cart,
        customer_id: int,
        order_key: str,
        ordered_at: dt.datetime | None = None,
        follow_up: bool = True,
    ) -> Order:
        """Order the content of the cart at current prices; the same key again returns the same order.

        Order, lines, stock and outbox change in one transaction, or nothing does. Then the order is removed from the
        cart and the best sellers become stale: at once if their servers answer, by `drain_outbox` if not or without
        `follow_up`. `ordered_at` is now unless given.

        Raises `OrderRejectedError` (`EmptyCartError`, `UnknownProductError`, `UnknownVariantError`, `OutOfStockError`,
        `UnknownCustomerError`, `OrderKeyTakenError`, `BadOrderError`) with nothing changed, and `ShopUnavailableError`
        if the database does not answer: ask again with the same key.
        """
        request = OrderRequest(cart, customer_id, order_key, ordered_at)
        tasks = {name: task for name, task in self._tasks().items() if name != CLEAR_CART or cart.cart_id is not None}
        order, is_new = orders.place(self.database, request, list(tasks))
        if is_new and follow_up:
            self._follow_up(order, tasks, request)
        return order

    def cancel_order(self, order_key: str) -> Order:
        """Cancel an order: its pieces go back to the stock, and the best sellers become stale. A second time is none.

        Raises `UnknownOrderError`, and `ShopUnavailableError` if the database does not answer: ask again.
        """
        tasks = {name: task for name, task in self._tasks().items() if name == COUNT_SALES}
        order, is_new = orders.cancel(self.database, order_key, list(tasks))
        if is_new:
            self._follow_up(order, tasks)
        return order

    def top_sellers(self) -> tuple[BestSeller, ...]:
        """Return the ten products with the most pieces sold, from the cache if there is one."""
        return self._best_sellers.top() if self._best_sellers else self.count_top_sellers()

    def count_top_sellers(self) -> tuple[BestSeller, ...]:
        """Return the same, counted from the orders."""
        return count_best_sellers(self.database)

    def drain_outbox(self) -> OutboxDrained:
        """Do the tasks of orders that could not be done at once."""
        return outbox.drain(self.database, self._tasks())

    def _tasks(self) -> Mapping[str, Task]:
        """Return the tasks that can be done, by name."""
        carts, best_sellers = self._carts, self._best_sellers
        tasks: dict[str, Task] = {}
        if carts is not None:
            tasks[CLEAR_CART] = lambda payload: _clear_cart(carts, payload)
        if best_sellers is not None:
            tasks[COUNT_SALES] = lambda _: best_sellers.touch()
        return tasks

    def _follow_up(self, order: Order, tasks: Mapping[str, Task], request: OrderRequest | None = None) -> None:
        """Do the tasks of an order, as far as possible. The order is stored already: no failure here may fail it."""
        done = []
        for name, task in tasks.items():
            if self._breakers[name].is_open:
                continue
            try:
                task(orders.payload_of(name, request))
                done.append(name)
            except ShopError as error:
                if isinstance(error, ShopUnavailableError):
                    self._breakers[name].trip()
                LOG.warning("%s waits in the outbox: %s", name, error)
        if not done:
            return
        try:
            outbox.remove(self.database, order.order_id, done)
        except ShopUnavailableError as error:
            LOG.warning("The tasks of order %r will be done again: %s", order.order_key, error)


def _clear_cart(carts: Carts, payload: Payload) -> None:
    lines = [CartLine(**line) for line in payload["lines"]]
    carts.take_out(payload["cart_id"], lines, payload["order_key"])


def place_orders(shop: Shop, requests: Iterable[OrderRequest], at_once: int = 4) -> list[Order | OrderRejectedError]:
    """Place many orders, several at a time: for simulations and migrations.

    Returns the result of each, in the order of the requests. Their tasks are done together at the end, as far as
    possible. Raises `ShopUnavailableError` if the database does not answer: the same requests again place the missing
    orders, and none twice.
    """

    def place(request: OrderRequest) -> Order | OrderRejectedError:
        try:
            return shop.place_order(
                request.cart, request.customer_id, request.order_key, request.ordered_at, follow_up=False
            )
        except OrderRejectedError as error:
            return error

    with ThreadPoolExecutor(at_once) as threads:
        outcomes = list(threads.map(place, requests))
    shop.drain_outbox()
    return outcomes


def count_best_sellers(database: Database) -> tuple[BestSeller, ...]:
    """Return the ten products with the most pieces sold; among equals by revenue, then by id."""
    with database.transaction() as connection:
        return tuple(BestSeller(*row) for row in connection.execute(_COUNT, [MOST]))


@contextmanager
def open_shop(settings: Settings, connections: int = 10) -> Iterator[Shop]:
    """Open the shop of the settings. Carts need MONGODB_URI, the cache REDIS_URL; neither has to answer yet.

    Raises `SettingsError` if SHOP_DATABASE_URL is not set, `ShopUnavailableError` if the database does not answer.
    """
    url, redis_url = settings.shop_database_url.get_secret_value(), settings.redis_url.get_secret_value()
    mongodb_uri = settings.mongodb_uri.get_secret_value()
    if not url:
        raise SettingsError("SHOP_DATABASE_URL is not set: give the postgresql:// address of the shop's database.")
    with ExitStack() as stack:
        database = stack.enter_context(Database(url, connections))
        carts = best_sellers = None
        if mongodb_uri:
            carts = stack.enter_context(closing(Carts(mongodb_uri, settings.mongodb_database)))
        if redis_url:
            best_sellers = stack.enter_context(closing(BestSellers(redis_url, lambda: count_best_sellers(database))))
        yield Shop(database, carts, best_sellers)
