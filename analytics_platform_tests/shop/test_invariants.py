"""Whatever is put into carts, ordered, retried and restocked: stock and sales add up, and totals are their lines'."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.shop.catalogue import seed_customers, seed_products
from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.errors import EmptyCartError, OrderRejectedError, OutOfStockError
from analytics_platform.shop.service import Shop
from analytics_platform_tests.shop.kit import change_price, rows, run, stock

PRODUCTS = ("a", "b", "c")
FIRST_STOCK = 6

lines = st.builds(CartLine, st.sampled_from(PRODUCTS), st.integers(1, 4), st.sampled_from((None, "big")))
prices = st.decimals(0, 1000, places=4)
steps = st.one_of(
    st.tuples(st.just("add"), lines),
    st.tuples(st.just("remove"), lines),
    st.tuples(st.just("order"), st.integers(0, 5)),
    st.tuples(st.just("order past the cart"), st.lists(lines, max_size=3)),
    st.tuples(st.just("price"), st.sampled_from(PRODUCTS), prices),
    st.tuples(st.just("restock"), st.sampled_from(PRODUCTS), st.integers(1, 5)),
)


class Model:
    """What the shop must hold after the same steps."""

    def __init__(self) -> None:
        self.stock = dict.fromkeys(PRODUCTS, FIRST_STOCK)
        self.cart: Counter[tuple[str, str | None]] = Counter()
        self.orders: dict[str, Decimal] = {}
        self.prices = dict.fromkeys(PRODUCTS, Decimal(1))

    def order(self, key: str, wanted: Counter[tuple[str, str | None]]) -> type[OrderRejectedError] | None:
        """What an order must end in."""
        if key in self.orders:
            return None
        if not wanted:
            return EmptyCartError
        pieces: Counter[str] = Counter()
        for (product, _), quantity in wanted.items():
            pieces[product] += quantity
        if any(quantity > self.stock[product] for product, quantity in pieces.items()):
            return OutOfStockError
        for product, quantity in pieces.items():
            self.stock[product] -= quantity
        self.orders[key] = sum(
            ((self.prices[thing[0]] if thing[1] is None else Decimal("9.9999")) * n for thing, n in wanted.items()),
            Decimal(),
        )
        return None


def counted(lines: tuple[CartLine, ...]) -> Counter[tuple[str, str | None]]:
    found: Counter[tuple[str, str | None]] = Counter()
    for line in lines:
        found[line.thing] += line.quantity
    return found


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=3, max_size=12))
def test_stock_and_sales_add_up_and_totals_are_those_of_the_lines(shop: Shop, done: list[tuple[object, ...]]) -> None:
    model = Model()
    run(shop, "TRUNCATE shop.outbox, shop.order_items, shop.orders, shop.products, shop.customers")
    big = {"big": Decimal("9.9999")}
    seed_products(shop.database, [Product(each, each, "x", Decimal(1), FIRST_STOCK, None, big) for each in PRODUCTS])
    customer = seed_customers(shop.database, [Customer("ada@mail.example", "Ada")])["ada@mail.example"]
    cart_id = f"customer:{customer}"
    for number, step in enumerate(done):
        take(shop, model, cart_id, customer, number, *step)
    assert_same(shop, model, cart_id)


def take(shop: Shop, model: Model, cart_id: str, customer: int, number: int, what: str, *with_: object) -> None:
    """One step, in the shop and in the model."""
    match what, *with_:
        case "add", CartLine() as line:
            shop.carts.add(cart_id, line)
            model.cart[line.thing] += line.quantity
        case "remove", CartLine() as line:
            shop.carts.remove(cart_id, *line.thing)
            model.cart.pop(line.thing, None)
        case "order", int(key):
            is_new = f"key {key}" not in model.orders
            order(shop, model, shop.carts.get(cart_id), customer, f"key {key}")
            if is_new and f"key {key}" in model.orders:
                model.cart.clear()
        case "order past the cart", list(chosen):
            order(shop, model, Cart(tuple(chosen)), customer, f"step {number}")
        case "price", str(product), Decimal() as price:
            change_price(shop, product, price)
            model.prices[product] = price
        case "restock", str(product), int(pieces):
            run(shop, "UPDATE shop.products SET stock = stock + %s WHERE product_id = %s", pieces, product)
            model.stock[product] += pieces


def order(shop: Shop, model: Model, cart: Cart, customer: int, key: str) -> None:
    rejection = model.order(key, counted(cart.lines))
    try:
        placed = shop.place_order(cart, customer, key)
    except OrderRejectedError as error:
        assert type(error) is rejection
    else:
        assert rejection is None
        assert placed.total == model.orders[key] == sum(line.unit_price * line.quantity for line in placed.lines)


def assert_same(shop: Shop, model: Model, cart_id: str) -> None:
    assert stock(shop) == model.stock
    assert counted(shop.carts.get(cart_id).lines) == +model.cart
    assert dict(rows(shop, "SELECT order_key, total FROM shop.orders")) == model.orders  # type: ignore[arg-type]
    assert (
        rows(
            shop,
            """SELECT order_id FROM shop.orders JOIN shop.order_items USING (order_id)
        GROUP BY order_id HAVING sum(quantity * unit_price) <> max(total)""",
        )
        == []
    )
    assert rows(shop, "SELECT count(*) FROM shop.outbox") == [(0,)]
