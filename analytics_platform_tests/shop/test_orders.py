"""Placing orders: whole or not at all, once per key, at the price of the moment, and never more than there is."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from analytics_platform.shop.domain import Cart, CartLine
from analytics_platform.shop.errors import (
    BadOrderError,
    BadQuantityError,
    EmptyCartError,
    OrderKeyTakenError,
    OrderRejectedError,
    OutOfStockError,
    UnknownCustomerError,
    UnknownOrderError,
    UnknownProductError,
    UnknownVariantError,
)
from analytics_platform.shop.orders import find_order
from analytics_platform.shop.service import Shop
from analytics_platform_tests.shop.kit import DESK, LAMP, VASE, cart_of, change_price, furnish, run, stock, stored

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def customer(shop: Shop) -> int:
    return furnish(shop)


def test_an_order_has_its_lines_at_the_price_of_the_moment_and_takes_them_from_the_stock(
    shop: Shop, customer: int
) -> None:
    cart = Cart((CartLine(LAMP, 2), CartLine(DESK, 1, "oak"), CartLine(DESK, 1), CartLine(VASE, 3)))

    order = shop.place_order(cart, customer, "web/1", NOON)

    change_price(shop, LAMP, Decimal("1"))
    assert order == find_order(shop.database, "web/1")
    assert order.ordered_at == NOON
    assert [(line.product_id, line.variant, line.quantity, str(line.unit_price)) for line in order.lines] == [
        (LAMP, None, 2, "19.9900"),
        (DESK, "oak", 1, "299.5000"),
        (DESK, None, 1, "250.0000"),
        (VASE, None, 3, "7.2501"),
    ]
    assert order.total == Decimal("611.2303")
    assert stock(shop) == {LAMP: 8, DESK: 8, VASE: 7}


def test_a_cancelled_order_gives_its_pieces_back_once(shop: Shop, customer: int) -> None:
    shop.place_order(Cart((CartLine(LAMP, 2), CartLine(DESK, 1, "oak"), CartLine(DESK, 1))), customer, "web/1", NOON)
    shop.place_order(cart_of((VASE, 1)), customer, "web/2", NOON)
    for _ in range(2):
        assert shop.cancel_order("web/1").status == "cancelled"
        assert stock(shop) == {LAMP: 10, DESK: 10, VASE: 9}
    cancelled, placed = (find_order(shop.database, key) for key in ("web/1", "web/2"))
    assert cancelled and placed and (cancelled.status, placed.status) == ("cancelled", "placed")
    assert [each.product_id for each in shop.count_top_sellers()] == [VASE]
    assert shop.place_order(cart_of((LAMP, 1)), customer, "web/1", NOON) == cancelled
    with pytest.raises(UnknownOrderError, match="no order 'web/3'"):
        shop.cancel_order("web/3")


def test_an_order_without_a_time_is_of_now(shop: Shop, customer: int) -> None:
    before = dt.datetime.now(dt.UTC)
    order = shop.place_order(cart_of((LAMP, 1)), customer, "web/1")
    assert before - dt.timedelta(seconds=5) < order.ordered_at < dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)


def test_the_same_key_is_the_same_order_whatever_happened_since(shop: Shop, customer: int) -> None:
    cart_id = f"customer:{customer}"
    shop.carts.add(cart_id, CartLine(LAMP, 10))
    order = shop.place_order(shop.carts.get(cart_id), customer, "web/1")
    change_price(shop, LAMP, Decimal("1"))
    before = stored(shop)

    assert shop.place_order(cart_of((LAMP, 10)), customer, "web/1") == order  # the stock is out
    assert shop.place_order(shop.carts.get(cart_id), customer, "web/1") == order  # the cart is empty now
    assert shop.place_order(cart_of(("gone", 1)), customer, "web/1") == order
    assert stored(shop) == before


@pytest.mark.parametrize(
    ("cart", "error", "words"),
    [
        (cart_of(), EmptyCartError, "is empty"),
        (cart_of((LAMP, 1), ("sofa", 1)), UnknownProductError, "no product 'sofa'"),
        (cart_of((LAMP, 1), ("'; DROP TABLE shop.orders; --", 1)), UnknownProductError, "no product"),
        (cart_of((LAMP, 1), ("nul\0", 1)), BadOrderError, "cannot be written"),
        (Cart((CartLine(DESK, 1, "pine"),)), UnknownVariantError, "does not come as 'pine'"),
        (Cart((CartLine(LAMP, 1, "oak"),)), UnknownVariantError, "does not come as 'oak'"),
        (cart_of((VASE, 1), (LAMP, 11)), OutOfStockError, "'lamp' has 10 pieces left, 11 are wanted"),
        (
            Cart((CartLine(DESK, 6), CartLine(DESK, 5, "oak"))),
            OutOfStockError,
            "'desk' has 10 pieces left, 11",
        ),
        (cart_of((LAMP, 1_000_000)), OutOfStockError, "1000000 are wanted"),
    ],
)
def test_a_rejected_order_says_why_and_changes_nothing(
    cart: Cart, error: type[OrderRejectedError], words: str, shop: Shop, customer: int
) -> None:
    before = stored(shop)
    with pytest.raises(error, match=words):
        shop.place_order(cart, customer, "web/1")
    assert stored(shop) == before


@pytest.mark.parametrize("price", ["cheap", "-1", "NaN", "1e30", None, {}])
def test_a_variant_whose_price_is_not_valid_is_rejected(price: object, shop: Shop, customer: int) -> None:
    run(shop, f"UPDATE shop.products SET metadata = '{json.dumps({'variants': {'oak': price}})}'")
    before = stored(shop)
    with pytest.raises((UnknownVariantError, BadOrderError)):
        shop.place_order(Cart((CartLine(DESK, 1, "oak"),)), customer, "web/1")
    assert stored(shop) == before


def test_an_order_beyond_what_money_columns_hold_is_rejected(shop: Shop, customer: int) -> None:
    change_price(shop, LAMP, Decimal(10) ** 13)
    with pytest.raises(BadOrderError, match="overflow"):
        shop.place_order(cart_of((LAMP, 10)), customer, "web/1")


def test_out_of_stock_names_product_wanted_and_left(shop: Shop, customer: int) -> None:
    with pytest.raises(OutOfStockError) as caught:
        shop.place_order(cart_of((DESK, 12)), customer, "web/1")
    assert (caught.value.product_id, caught.value.wanted, caught.value.left) == (DESK, 12, 10)


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001])
def test_no_line_has_fewer_pieces_than_one_or_too_many(quantity: int) -> None:
    with pytest.raises(BadQuantityError):
        CartLine(LAMP, quantity)


@pytest.mark.parametrize("customer_id", [-1, 999, 10**30])
def test_an_unknown_customer_is_rejected(customer_id: int, shop: Shop, customer: int) -> None:
    before = stored(shop)
    with pytest.raises((UnknownCustomerError, BadOrderError)):
        shop.place_order(cart_of((LAMP, 1)), customer_id, "web/1")
    assert stored(shop) == before


@pytest.mark.parametrize("key", ["", "  ", "k" * 501, "nul\0"])
def test_a_key_that_is_not_valid_is_rejected(key: str, shop: Shop, customer: int) -> None:
    with pytest.raises(BadOrderError, match="is not valid"):
        shop.place_order(cart_of((LAMP, 1)), customer, key)


def test_a_time_without_a_zone_is_rejected(shop: Shop, customer: int) -> None:
    with pytest.raises(BadOrderError, match="no time zone"):
        shop.place_order(cart_of((LAMP, 1)), customer, "web/1", NOON.replace(tzinfo=None))


def test_a_key_of_another_customer_reveals_nothing(shop: Shop, customer: int) -> None:
    shop.place_order(cart_of((LAMP, 1)), customer, "web/1")
    before = stored(shop)
    with pytest.raises(OrderKeyTakenError):
        shop.place_order(cart_of((VASE, 1)), customer + 1, "web/1")
    assert stored(shop) == before


def test_what_follows_an_order_is_done_at_once_if_it_can_be(shop: Shop, customer: int) -> None:
    cart_id = f"customer:{customer}"
    shop.carts.add(cart_id, CartLine(LAMP, 2))
    assert shop.top_sellers() == ()

    shop.place_order(shop.carts.get(cart_id), customer, "web/1")

    assert shop.carts.get(cart_id).lines == ()
    assert stored(shop)["outbox"] == []
