"""The shop as others use it: orders in PostgreSQL, what follows them in MongoDB and Redis, now or later.

with open_shop(load_settings()) as shop:
    order = shop.place_order(shop.carts.get("customer:17"), 17, order_key="web/4711")
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

from pymongo.errors import PyMongoError

from analytics_platform.settings import Settings, SettingsError
from analytics_platform.shop import orders, outbox
from analytics_platform.shop.best_sellers import MOST, BestSellers
from analytics_platform.shop.breaker import Breaker
from analytics_platform.shop.carts import Carts
from analytics_platform.shop.database import Database
from analytics_platform.shop.domain import BestSeller, Cart, CartLine, Order
from analytics_platform.shop.errors import ShopError, ShopUnavailableError
from analytics_platform.shop.orders import CLEAR_CART, COUNT_SALES, Wish
from analytics_platform.shop.outbox import Drained, Payload, Task

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
    """The order service. Without carts or cache it works without them. Safe to share between threads."""

    def __init__(self, database: Database, carts: Carts | None = None, best_sellers: BestSellers | None = None) -> None:
        self.database = database
        self._carts = carts
        self._best_sellers = best_sellers
        self._breakers: Mapping[str, Breaker] = {CLEAR_CART: Breaker(), COUNT_SALES: Breaker()}

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
        """Order what is in the cart, at the prices of this moment; the same key again returns the same order.

        Order, lines, stock and outbox change in one transaction, or nothing does. Then what was ordered is taken out of
        the cart and the best sellers are told, at once if their servers answer, by `drain_outbox` if not, or if
        `follow_up` is false. `ordered_at` is now unless given.

        Raises `OrderRefusedError` (`EmptyCartError`, `UnknownProductError`, `UnknownVariantError`, `OutOfStockError`,
        `UnknownCustomerError`, `OrderKeyTakenError`, `BadOrderError`) with nothing changed, and `ShopUnavailableError`
        if the database is away: ask again with the same key.
        """
        wish = Wish(cart, customer_id, order_key, ordered_at)
        tasks = self._tasks_of(cart)
        placed = orders.place(self.database, wish, tasks)
        if placed.is_new and follow_up:
            self._follow_up(wish, placed.order, tasks)
        return placed.order

    def find_order(self, order_key: str) -> Order | None:
        """The order with that key. Raises `ShopUnavailableError`."""
        return orders.find_order(self.database, order_key)

    def top_sellers(self) -> tuple[BestSeller, ...]:
        """The ten products of which most pieces were sold, from the cache if there is one."""
        return self._best_sellers.top() if self._best_sellers else self.count_top_sellers()

    def count_top_sellers(self) -> tuple[BestSeller, ...]:
        """The same, counted from the orders."""
        return count_best_sellers(self.database)

    def drain_outbox(self) -> Drained:
        """Do what orders left to be done and could not be done at once."""
        return outbox.drain(self.database, self._tasks())

    def _tasks_of(self, cart: Cart) -> list[str]:
        wanted = {CLEAR_CART: cart.cart_id is not None}
        return [task for task in self._tasks() if wanted.get(task, True)]

    def _tasks(self) -> Mapping[str, Task]:
        """What can be done, and how."""
        tasks: dict[str, Task] = {}
        if self._carts is not None:
            tasks[CLEAR_CART] = self._clear_cart
        if self._best_sellers is not None:
            tasks[COUNT_SALES] = self._touch
        return tasks

    def _clear_cart(self, payload: Payload) -> None:
        lines = [CartLine(**line) for line in payload["lines"]]
        self.carts.take_out(payload["cart_id"], lines, payload["order_key"])

    def _touch(self, _: Payload) -> None:
        assert self._best_sellers is not None
        self._best_sellers.touch()

    def _follow_up(self, wish: Wish, order: Order, names: list[str]) -> None:
        """Do now what can be done now. The order stands already: nothing that fails here may fail it."""
        tasks = self._tasks()
        done = [name for name in names if self._did(name, tasks[name], orders.payload_of(name, wish))]
        if not done:
            return
        try:
            outbox.remove(self.database, order.order_id, done)
        except ShopUnavailableError as error:
            LOG.warning("What followed order %r will be done again: %s", order.order_key, error)

    def _did(self, name: str, task: Task, payload: Payload) -> bool:
        breaker = self._breakers[name]
        if breaker.is_open:
            return False
        try:
            task(payload)
        except ShopUnavailableError as error:
            breaker.trip()
            LOG.warning("%s waits in the outbox: %s", name, error)
        except ShopError as error:
            LOG.warning("%s waits in the outbox: %s", name, error)
        else:
            return True
        return False


def count_best_sellers(database: Database) -> tuple[BestSeller, ...]:
    """The ten products of which most pieces were sold; of equals those that brought more, then by id."""
    with database.transaction() as connection:
        return tuple(BestSeller(*row) for row in connection.execute(_COUNT, [MOST]))


@contextmanager
def open_shop(settings: Settings, connections: int = 10) -> Iterator[Shop]:
    """The shop of the settings. Carts need MONGODB_URI, the cache REDIS_URL; neither has to answer now.

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
            with _address("MONGODB_URI", "mongodb://host:27017"):
                carts = stack.enter_context(closing(Carts(mongodb_uri, settings.mongodb_database)))
        if redis_url:
            with _address("REDIS_URL", "redis://host:6379/0"):
                cache = BestSellers(redis_url, lambda: count_best_sellers(database))
            best_sellers = stack.enter_context(closing(cache))
        yield Shop(database, carts, best_sellers)


@contextmanager
def _address(name: str, example: str) -> Iterator[None]:
    """Of an address it cannot use a driver quotes parts, which may be of the password."""
    try:
        yield
    except (PyMongoError, ValueError):
        raise SettingsError(f"{name} is no address that can be used: write it as {example}.") from None
