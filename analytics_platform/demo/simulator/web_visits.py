"""Visits to the web shop."""

from random import Random

from analytics_platform.demo.simulator.baskets import draw_basket, draw_transaction_id
from analytics_platform.demo.simulator.catalogue import ARTICLES, COLLECTIONS, PRODUCTS, SEARCHES, SHOP, Product
from analytics_platform.demo.simulator.event import DAY, MINUTE
from analytics_platform.demo.simulator.payloads import describe_order, describe_signup, make_purchase
from analytics_platform.demo.simulator.visitor import Visit, Visitor


def browse(rng: Random, visitor: Visitor, visit: Visit) -> None:
    """The web shop: pages, perhaps a pop-up, a cart and a checkout."""
    product = rng.choice(PRODUCTS) if rng.random() < 0.4 else None
    visit.land(f"/products/{product.slug}" if product else _draw_path(rng))
    visit.record("page_viewed")
    if rng.random() < 0.04:
        visit.wait()
        visit.record("email_filled_on_popup", describe_signup(visitor.email))
    while rng.random() < 0.76:
        product = rng.choice(PRODUCTS) if rng.random() < 0.5 else None
        visit.open(_draw_product_url(rng, product) if product else SHOP + _draw_path(rng))
        visit.record("page_viewed")
        if product and rng.random() < 0.13:
            visit.wait()
            visit.record("product_added_to_cart")
            if rng.random() < 0.45:
                _check_out(rng, visitor, visit, product)
                return


def _draw_path(rng: Random) -> str:
    """A page that is not a product's."""
    kind = rng.random()
    if kind < 0.35:
        return "/"
    if kind < 0.80:
        return f"/collections/{rng.choice(COLLECTIONS)}"
    if kind < 0.92:
        return f"/blogs/{rng.choice(ARTICLES)}"
    return f"/search?q={rng.choice(SEARCHES)}"


def _draw_product_url(rng: Random, product: Product) -> str:
    """A product's page, sometimes with a variant chosen, rarely with a comma in its address."""
    kind = rng.random()
    if kind < 0.7:
        return product.page_url
    if kind < 0.98:
        return f"{product.page_url}?variant={rng.randrange(len(product.variants))}"
    return f"{product.page_url}?sort=price,asc"


def _check_out(rng: Random, visitor: Visitor, visit: Visit, product: Product) -> None:
    """The checkout, which many leave; a few confirmations are sent again, minutes or a day later."""
    visit.open(f"{SHOP}/checkout")
    visit.record("checkout_started")
    if rng.random() < 0.4:
        return
    lines = draw_basket(rng, product)
    purchase = make_purchase(draw_transaction_id(rng), lines)
    visit.open(f"{SHOP}/checkout/thank-you")
    visit.record("checkout_completed", describe_order(purchase, lines, visitor.email), purchase)
    fate = rng.random()
    if fate < 0.02:
        visit.repeat_last(rng.randrange(MINUTE, 20 * MINUTE))
    elif fate < 0.03:
        visit.repeat_last(DAY + rng.randrange(20 * MINUTE))
