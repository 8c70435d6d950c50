"""What visitors buy."""

from random import Random

from analytics_platform.demo.simulator.catalogue import PRODUCTS, Product
from analytics_platform.demo.simulator.payloads import Line


def draw_basket(rng: Random, first: Product) -> list[Line]:
    """A basket of one to three lines, beginning with the product just seen."""
    others = rng.sample(PRODUCTS, rng.choice((0, 0, 0, 1, 1, 2)))
    return [Line(product, rng.choice(product.variants), rng.choice((1, 1, 1, 2))) for product in (first, *others)]


def draw_transaction_id(rng: Random) -> str:
    """An order number as the shop writes it."""
    return f"{rng.randrange(4_000_000_000_000, 6_000_000_000_000)}"
