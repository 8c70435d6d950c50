"""What the app shows: the shop's products and some with awkward names, on lists."""

from typing import NamedTuple

from analytics_platform.demo.simulator.catalogue import PRODUCTS, Product, Variant
from analytics_platform.demo.simulator.messages.event import Item


def _make(number: int, name: str, brand: str, cents: int) -> Product:
    """A product sold in the app only."""
    return Product(f"prod_{number}", name, brand, "Extras", f"prod-{number}", (Variant("", cents),))


APP_PRODUCTS = (
    *PRODUCTS,
    _make(1, "Audífonos, negro", "", 149_900),
    _make(2, "Kabel [2 m], weiß", "Lumen", 1_290),
    _make(3, "Lampe E=27, warmweiß", "Lumen", 2_490),
    _make(4, "Set {3 Teile}, grün", "", 3_900),
    _make(5, "Lámpara níquel (2 uds.), más luz", "Nordhus", 7_450),
    _make(6, "Größe = L, Maß [cm] 40x80", "Nachtruh", 1_999),
    _make(7, "Thé & café; 50 % d’arôme", "Douce Nuit", 890),
    _make(8, "枕カバー、白", "", 2_200),
)

_LENGTH = 20


class AppList(NamedTuple):
    """A list of products in the app, as it shows them; the lists of the web shop have other names."""

    name: str
    items: tuple[Item, ...]


def describe(product: Product, variant: int) -> Item:
    """A product on no list."""
    chosen = product.variants[variant]
    return Item(product.item_id, product.name, product.brand, product.category, chosen.name, chosen.cents)


def _deal(name: str, first: int, step: int) -> AppList:
    """A list of every `step`th product; no product twice, as no step shares a factor with their number."""
    products = (APP_PRODUCTS[(first + place * step) % len(APP_PRODUCTS)] for place in range(_LENGTH))
    shown = (describe(product, 0) for product in products)
    items = (item._replace(list_name=name, list_index=index) for index, item in enumerate(shown, start=1))
    return AppList(name, tuple(items))


APP_LISTS = (
    _deal("Los más comprados", 30, 1),
    _deal("Neuheiten der Woche", 3, 3),
    _deal("Ofertas, hasta -50 %", 8, 5),
    _deal("Für dich empfohlen", 21, 7),
    _deal("Top 20 [App]", 13, 9),
    _deal("Wieder da = schnell sein", 1, 11),
    _deal("Zuletzt angesehen", 17, 13),
    _deal("Suche: Größe {M}", 26, 15),
)

LIST_WEIGHTS = (24, 16, 14, 14, 10, 6, 10, 6)
"""How often each of `APP_LISTS` is opened, in the same order."""
