"""Visits to the app-like part of the shop."""

from random import Random

from analytics_platform.demo.simulator.baskets import draw_basket, draw_transaction_id
from analytics_platform.demo.simulator.catalogue import SHOP
from analytics_platform.demo.simulator.payloads import (
    LISTS,
    Line,
    describe_items,
    describe_list,
    describe_purchase,
    make_purchase,
)
from analytics_platform.demo.simulator.visitor import Visit


def use_app(rng: Random, visit: Visit) -> None:
    """The app-like part of the shop, which speaks Google Analytics 4."""
    visit.land("/app/")
    while True:
        shown = rng.choice(LISTS)
        visit.record("view_item_list", describe_list(shown, 1, len(shown.products)))
        index = rng.randint(1, len(shown.products))
        product = shown.products[index - 1]
        if rng.random() < 0.35:
            return
        visit.wait()
        visit.record("select_item", describe_list(shown, index, index))
        visit.open(f"{SHOP}/app/products/{product.slug}")
        visit.record("view_item", describe_items([Line(product, product.variants[0], 1)]))
        if rng.random() < 0.15:
            _buy_in_app(rng, visit, draw_basket(rng, product))
            return
        if rng.random() < 0.5:
            return
        visit.open(f"{SHOP}/app/lists/{shown.list_id}")


def _buy_in_app(rng: Random, visit: Visit, lines: list[Line]) -> None:
    """Cart, checkout and purchase, each step left by some."""
    visit.wait()
    visit.record("add_to_cart", describe_items(lines))
    if rng.random() < 0.5:
        return
    visit.open(f"{SHOP}/app/checkout")
    visit.record("begin_checkout", describe_items(lines))
    if rng.random() < 0.4:
        return
    purchase = make_purchase(draw_transaction_id(rng), lines)
    visit.wait()
    visit.record("purchase", describe_purchase(purchase, lines), purchase)
