"""The shop's products, and their pages."""

from typing import NamedTuple

SHOP = "https://www.shop.example"


class Variant(NamedTuple):
    """One size or colour of a product, with its price in cents."""

    name: str
    cents: int


class Product(NamedTuple):
    """One product; `slug` is the last part of its page's address."""

    item_id: str
    name: str
    brand: str
    category: str
    slug: str
    variants: tuple[Variant, ...]

    @property
    def page_url(self) -> str:
        """The product's page."""
        return f"{SHOP}/products/{self.slug}"


def _sizes(small: int, step: int) -> tuple[Variant, ...]:
    """Four bed sizes; prices in whole currency units minus one cent."""
    names = ("90 x 200", "140 x 200", "160 x 200", '63" x 79"')
    return tuple(Variant(name, (small + step * number) * 100 - 1) for number, name in enumerate(names))


def _colours(price: int) -> tuple[Variant, ...]:
    """Three colours at one price in cents."""
    return tuple(Variant(name, price) for name in ("Weiß", "Anthrazit", "Crème, meliert"))


def _one(price: int) -> tuple[Variant, ...]:
    """The only variant, at a price in cents."""
    return (Variant("Standard", price),)


PRODUCTS = (
    Product("M-1001", 'Matratze 14" Größe L', "Nachtruh", "Matratzen", "matratze-14-zoll-l", _sizes(699, 150)),
    Product("M-1002", 'Matratze 10" Größe M', "Nachtruh", "Matratzen", "matratze-10-zoll-m", _sizes(449, 100)),
    Product("M-1003", "Matelas Rêve, ferme", "Douce Nuit", "Matratzen", "matelas-reve-ferme", _sizes(549, 120)),
    Product("M-1004", "Matelas Rêve, souple", "Douce Nuit", "Matratzen", "matelas-reve-souple", _sizes(549, 120)),
    Product("M-1005", 'Hybrid Mattress 12"', "Lumen", "Matratzen", "hybrid-mattress-12", _sizes(899, 200)),
    Product("M-1006", "Kindermatratze Bärchen", "Nachtruh", "Matratzen", "kindermatratze-baerchen", _one(14_900)),
    Product("B-2001", "Boxspringbett Malmö", "Nordhus", "Betten", "boxspringbett-malmoe", _sizes(1299, 250)),
    Product("B-2002", "Bed Frame, solid oak", "Nordhus", "Betten", "bed-frame-solid-oak", _sizes(799, 120)),
    Product("B-2003", 'Metal Bed 14" high', "Lumen", "Betten", "metal-bed-14-high", _sizes(249, 50)),
    Product("B-2004", "Etagenbett Zoë", "Nordhus", "Betten", "etagenbett-zoe", _one(59_900)),
    Product("P-3001", "Kissen Wölkchen", "Nachtruh", "Kissen", "kissen-woelkchen", _one(4_990)),
    Product("P-3002", "Memory Foam Pillow", "Lumen", "Kissen", "memory-foam-pillow", _one(6_950)),
    Product("P-3003", "Oreiller ergonomique, côté", "Douce Nuit", "Kissen", "oreiller-ergonomique", _one(7_900)),
    Product("P-3004", 'Travel Pillow 12" x 8"', "Lumen", "Kissen", "travel-pillow", _colours(2_495)),
    Product("P-3005", "Kissenbezug, 2 Stück", "Nachtruh", "Kissen", "kissenbezug-2", _colours(1_999)),
    Product("L-4001", "Bettwäsche Perkal", "Nordhus", "Bettwäsche", "bettwaesche-perkal", _colours(8_990)),
    Product("L-4002", "Linen Duvet Cover", "Nordhus", "Bettwäsche", "linen-duvet-cover", _colours(15_900)),
    Product("L-4003", "Spannbettlaken, Jersey", "Nachtruh", "Bettwäsche", "spannbettlaken-jersey", _colours(2_990)),
    Product(
        "L-4004",
        "Housse de couette Été",
        "Douce Nuit",
        "Bettwäsche",
        "housse-de-couette-ete",
        _colours(11_950),
    ),
    Product("D-5001", "Daunendecke, Übergröße", "Nachtruh", "Decken", "daunendecke-uebergroesse", _one(24_900)),
    Product("D-5002", "Weighted Blanket 15 lb", "Lumen", "Decken", "weighted-blanket-15", _colours(12_900)),
    Product("D-5003", "Couverture, laine mérinos", "Douce Nuit", "Decken", "couverture-laine", _colours(13_500)),
    Product("D-5004", "Sommerdecke leicht", "Nachtruh", "Decken", "sommerdecke-leicht", _one(5_990)),
    Product("F-6001", 'Nightstand 18"', "Nordhus", "Möbel", "nightstand-18", _colours(17_900)),
    Product("F-6002", "Lattenrost, verstellbar", "Nordhus", "Möbel", "lattenrost-verstellbar", _sizes(179, 40)),
    Product("F-6003", "Commode Élodie", "Douce Nuit", "Möbel", "commode-elodie", _colours(39_900)),
    Product("A-7001", "Mattress Protector", "Lumen", "Zubehör", "mattress-protector", _sizes(39, 10)),
    Product("A-7002", 'Topper 3", Größe L', "Nachtruh", "Zubehör", "topper-3-zoll-l", _sizes(149, 30)),
    Product("A-7003", "Lavendelspray, 100 ml", "Douce Nuit", "Zubehör", "lavendelspray", _one(1_290)),
    Product("A-7004", "Gift Card", "Shop", "Zubehör", "gift-card", _one(5_000)),
)

COLLECTIONS = ("matratzen", "betten", "kissen", "bettwaesche", "decken", "moebel", "zubehoer", "sale")
"""Slugs of the collection pages."""

ARTICLES = ("how-to-sleep-better", "choosing-a-mattress", "what-is-perkal", "bed-sizes", "care-guide")
"""Slugs of the blog's articles."""

SEARCHES = ("topper", "kissen+90x200", "bettw%C3%A4sche", "sale", "12%22+mattress")
"""What visitors type into the shop's own search, as it stands in the address."""
