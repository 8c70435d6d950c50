"""The products and lists of the shop, the browsers of its visitors, and the channels they come from."""

from decimal import Decimal
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from analytics_platform.demo.simulator.events import HOUR, Item

SHOP = "https://www.shop.example"
CHECKOUT = "https://checkout.shop.example"
OWN_DOMAINS = "shop-magazin.example"
SHOP_TIMEZONE = "Europe/Berlin"

NAMES = {
    "page_viewed": "page_view",
    "product_added_to_cart": "add_to_cart",
    "checkout_started": "begin_checkout",
    "checkout_completed": "purchase",
    "email_filled_on_popup": "generate_lead",
}
"""What the web shop calls GA4's events."""


class Variant(NamedTuple):
    """One size or colour of a product, with its price in cents."""

    name: str
    cents: int

    @property
    def price(self) -> Decimal:
        """The price in the shop's currency."""
        return Decimal(self.cents) / 100


class SimulatedProduct(NamedTuple):
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

    def item(self, variant: Variant | None = None, quantity: int | None = None) -> Item:
        """Return the product as an item on no list; without a variant it is the first."""
        name, cents = variant or self.variants[0]
        return Item(self.item_id, self.name, self.brand, self.category, name, cents, quantity)


def _sizes(small: int, step: int) -> tuple[Variant, ...]:
    """Make four bed sizes; prices in whole currency units minus one cent."""
    names = ("90 x 200", "140 x 200", "160 x 200", '63" x 79"')
    return tuple(Variant(name, (small + step * number) * 100 - 1) for number, name in enumerate(names))


def _colours(price: int) -> tuple[Variant, ...]:
    """Make three colours at one price in cents."""
    return tuple(Variant(name, price) for name in ("Weiß", "Anthrazit", "Crème, meliert"))


def _one(price: int) -> tuple[Variant, ...]:
    """Make the only variant, at a price in cents."""
    return (Variant("Standard", price),)


PRODUCTS = tuple(
    SimulatedProduct(*row)
    for row in (
        ("M-1001", 'Matratze 14" Größe L', "Nachtruh", "Matratzen", "matratze-14-zoll-l", _sizes(699, 150)),
        ("M-1002", 'Matratze 10" Größe M', "Nachtruh", "Matratzen", "matratze-10-zoll-m", _sizes(449, 100)),
        ("M-1003", "Matelas Rêve, ferme", "Douce Nuit", "Matratzen", "matelas-reve-ferme", _sizes(549, 120)),
        ("M-1004", "Matelas Rêve, souple", "Douce Nuit", "Matratzen", "matelas-reve-souple", _sizes(549, 120)),
        ("M-1005", 'Hybrid Mattress 12"', "Lumen", "Matratzen", "hybrid-mattress-12", _sizes(899, 200)),
        ("M-1006", "Kindermatratze Bärchen", "Nachtruh", "Matratzen", "kindermatratze-baerchen", _one(14_900)),
        ("B-2001", "Boxspringbett Malmö", "Nordhus", "Betten", "boxspringbett-malmoe", _sizes(1299, 250)),
        ("B-2002", "Bed Frame, solid oak", "Nordhus", "Betten", "bed-frame-solid-oak", _sizes(799, 120)),
        ("B-2003", 'Metal Bed 14" high', "Lumen", "Betten", "metal-bed-14-high", _sizes(249, 50)),
        ("B-2004", "Etagenbett Zoë", "Nordhus", "Betten", "etagenbett-zoe", _one(59_900)),
        ("P-3001", "Kissen Wölkchen", "Nachtruh", "Kissen", "kissen-woelkchen", _one(4_990)),
        ("P-3002", "Memory Foam Pillow", "Lumen", "Kissen", "memory-foam-pillow", _one(6_950)),
        ("P-3003", "Oreiller ergonomique, côté", "Douce Nuit", "Kissen", "oreiller-ergonomique", _one(7_900)),
        ("P-3004", 'Travel Pillow 12" x 8"', "Lumen", "Kissen", "travel-pillow", _colours(2_495)),
        ("P-3005", "Kissenbezug, 2 Stück", "Nachtruh", "Kissen", "kissenbezug-2", _colours(1_999)),
        ("L-4001", "Bettwäsche Perkal", "Nordhus", "Bettwäsche", "bettwaesche-perkal", _colours(8_990)),
        ("L-4002", "Linen Duvet Cover", "Nordhus", "Bettwäsche", "linen-duvet-cover", _colours(15_900)),
        ("L-4003", "Spannbettlaken, Jersey", "Nachtruh", "Bettwäsche", "spannbettlaken-jersey", _colours(2_990)),
        ("L-4004", "Housse de couette Été", "Douce Nuit", "Bettwäsche", "housse-de-couette-ete", _colours(11_950)),
        ("D-5001", "Daunendecke, Übergröße", "Nachtruh", "Decken", "daunendecke-uebergroesse", _one(24_900)),
        ("D-5002", "Weighted Blanket 15 lb", "Lumen", "Decken", "weighted-blanket-15", _colours(12_900)),
        ("D-5003", "Couverture, laine mérinos", "Douce Nuit", "Decken", "couverture-laine", _colours(13_500)),
        ("D-5004", "Sommerdecke leicht", "Nachtruh", "Decken", "sommerdecke-leicht", _one(5_990)),
        ("F-6001", 'Nightstand 18"', "Nordhus", "Möbel", "nightstand-18", _colours(17_900)),
        ("F-6002", "Lattenrost, verstellbar", "Nordhus", "Möbel", "lattenrost-verstellbar", _sizes(179, 40)),
        ("F-6003", "Commode Élodie", "Douce Nuit", "Möbel", "commode-elodie", _colours(39_900)),
        ("A-7001", "Mattress Protector", "Lumen", "Zubehör", "mattress-protector", _sizes(39, 10)),
        ("A-7002", 'Topper 3", Größe L', "Nachtruh", "Zubehör", "topper-3-zoll-l", _sizes(149, 30)),
        ("A-7003", "Lavendelspray, 100 ml", "Douce Nuit", "Zubehör", "lavendelspray", _one(1_290)),
        ("A-7004", "Gift Card", "Shop", "Zubehör", "gift-card", _one(5_000)),
    )
)

RENAMED = "P-3001"
VERSIONS = MappingProxyType({1: ("Kissen Wölkchen", Decimal("49.90")), 2: ("Kissen Wolke", Decimal("54.90"))})
"""Names and prices of this product; the shop changes them before the late data arrive."""

SOLD_OUT_HOUR = 18
"""From this hour (UTC) of the first day on the shop is without a piece of that product."""

COLLECTIONS = ("matratzen", "betten", "kissen", "bettwaesche", "decken", "moebel", "zubehoer", "sale")
"""Slugs of the collection pages."""

ARTICLES = ("how-to-sleep-better", "choosing-a-mattress", "what-is-perkal", "bed-sizes", "care-guide")
"""Slugs of the blog's articles."""

SEARCHES = ("topper", "kissen+90x200", "bettw%C3%A4sche", "sale", "12%22+mattress")
"""What visitors type into the shop's own search, as it is in the address."""


def _app_product(number: int, name: str, brand: str, cents: int) -> SimulatedProduct:
    """Make a product sold in the app only."""
    return SimulatedProduct(f"prod_{number}", name, brand, "Extras", f"prod-{number}", (Variant("", cents),))


APP_PRODUCTS = (
    *PRODUCTS,
    _app_product(1, "Audífonos, negro", "", 149_900),
    _app_product(2, "Kabel [2 m], weiß", "Lumen", 1_290),
    _app_product(3, "Lampe E=27, warmweiß", "Lumen", 2_490),
    _app_product(4, "Set {3 Teile}, grün", "", 3_900),
    _app_product(5, "Lámpara níquel (2 uds.), más luz", "Nordhus", 7_450),
    _app_product(6, "Größe = L, Maß [cm] 40x80", "Nachtruh", 1_999),
    _app_product(7, "Thé & café; 50 % d’arôme", "Douce Nuit", 890),
    _app_product(8, "枕カバー、白", "", 2_200),
)


class ProductList(NamedTuple):
    """A list of products as the shop shows it; the items have its name and their place, from 1."""

    list_id: str
    name: str
    products: tuple[SimulatedProduct, ...]
    items: tuple[Item, ...]


def _show(list_id: str, name: str, products: tuple[SimulatedProduct, ...]) -> ProductList:
    shown = enumerate((product.item() for product in products), start=1)
    items = tuple(item._replace(list_name=name, list_index=index) for index, item in shown)
    return ProductList(list_id, name, products, items)


LISTS = (
    _show("home_best", "Best sellers", PRODUCTS[0:6]),
    _show("home_new", "Neu für dich", PRODUCTS[10:15]),
    _show("col_linen", "Bettwäsche, alles", PRODUCTS[15:19]),
    _show("col_beds", "Betten", PRODUCTS[6:10]),
    _show("related", "Passt dazu", PRODUCTS[24:30]),
    _show("search", "Search results", PRODUCTS[2:28:5]),
)
"""The lists of the app-like part of the web shop."""


def _deal(name: str, first: int, step: int) -> ProductList:
    """Show every `step`th product, 20 in all; no product twice, as no step shares a factor with their number."""
    places = range(first, first + 20 * step, step)
    return _show("", name, tuple(APP_PRODUCTS[place % len(APP_PRODUCTS)] for place in places))


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
"""The lists of the app; the lists of the web shop have other names."""

LIST_WEIGHTS = (24, 16, 14, 14, 10, 6, 10, 6)
"""How often each of `APP_LISTS` is opened, in the same order."""


_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS"
_ANDROID = "Mozilla/5.0 (Linux; Android"

_DESKTOP = (
    *(f"{_WINDOWS} {_BLINK} Chrome/{version}.0.0.0 Safari/537.36" for version in (129, 130, 131)),
    *(f"{_WINDOWS} {_BLINK} Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0" for version in (130, 131)),
    *(f"{_MAC} {_BLINK} Chrome/{version}.0.0.0 Safari/537.36" for version in (130, 131)),
    *(f"{_MAC} {_WEBKIT} Version/{version} Safari/605.1.15" for version in (17.6, 18.1)),
    f"{_LINUX} {_BLINK} Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
)

_MOBILE = (
    f"{_IPHONE} 18_0 like Mac OS X) {_WEBKIT} Version/18.0 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 18_1 like Mac OS X) {_WEBKIT} Version/18.1 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 17_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Instagram 353.0.4.18.87",
    *(f"{_ANDROID} 10; K) {_BLINK} Chrome/{version}.0.0.0 Mobile Safari/537.36" for version in (130, 131)),
    f"{_ANDROID} 15; Pixel 8) {_BLINK} Chrome/131.0.6778.39 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
)

_TABLET = (
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1",
    f"{_ANDROID} 13; SM-X200) {_BLINK} Chrome/130.0.0.0 Safari/537.36",
)

PEOPLE = _DESKTOP + _MOBILE + _TABLET
"""Browsers of visitors."""

PEOPLE_WEIGHTS = tuple(accumulate((3,) * len(_DESKTOP) + (6,) * len(_MOBILE) + (2,) * len(_TABLET)))
"""How common each of `PEOPLE` is, in the same order, added up."""

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

CRAWLERS = (
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    f"{_ANDROID} 6.0.1; Nexus 5X Build/MMB29P) {_BLINK} Chrome/130.0.0.0 "
    "Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"Mozilla/5.0 {_BLINK}; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    f"{_LINUX} {_BLINK} Chrome/130.0.0.0 Safari/537.36 Checkly",
    "Catalogue reader (team@reader.example)",
    "curl/8.11.0",
)
"""Crawlers, monitors and scripts that come in bursts."""

SERVERS = ("axios/1.7.7", "python-requests/2.32.3")
"""The shop's servers, which send some events of people's visits, and refunds."""

PROGRAMS = frozenset({GOOGLEBOT, *CRAWLERS, *SERVERS})
"""Every user agent that is no browser's."""


class Channel(NamedTuple):
    """One way to the shop, and the channel GA4 documents for it, empty for none.

    `click_id` is the name of the parameter an ad network appends, or empty. A `query` may begin with `#`.
    """

    group: str
    weight: int
    query: str
    referrer: str
    click_id: str = ""


def _utm(source: str, medium: str, *campaign: str) -> str:
    """Write the query of a link that the shop has tagged."""
    names = ("utm_source", "utm_medium", "utm_campaign")
    return "&".join(f"{name}={value}" for name, value in zip(names, (source, medium, *campaign), strict=False))


_GOOGLE = "https://www.google.com/"

CHANNELS = (
    Channel("", 240, "", ""),
    Channel("Organic Search", 170, "", _GOOGLE),
    Channel("Organic Search", 30, "", "https://www.bing.com/"),
    Channel("Organic Social", 30, "", "https://www.instagram.com/"),
    Channel("Organic Social", 14, "", "https://m.facebook.com/"),
    Channel("Organic Social", 6, "", "https://old.reddit.com/r/mattress/"),
    Channel("Organic Video", 8, "", "https://www.youtube.com/"),
    Channel("Organic Shopping", 4, "", "https://www.etsy.com/"),
    Channel("Referral", 16, "", "https://schlafblog.example/test/matratzen-2026"),
    Channel("", 18, "", "https://www.shop.example/"),
    Channel("", 8, "", "https://blog.shop.example/besser-schlafen"),
    Channel("", 6, "", "https://www.shop-magazin.example/"),
    Channel("", 6, "", "https://www.paypal.com/checkoutnow"),
    Channel("Paid Search", 90, _utm("google", "cpc", "brand"), _GOOGLE, "gclid"),
    Channel("Paid Shopping", 60, _utm("google", "cpc", "shopping_de"), _GOOGLE, "gclid"),
    Channel("Paid Search", 25, "", _GOOGLE, "gclid"),
    Channel("Paid Search", 6, "", "", "gad_source"),
    Channel("Paid Search", 6, _utm("newsletter", "email", "autumn_sale"), _GOOGLE, "gclid"),
    Channel("Display", 4, "", "", "dclid"),
    Channel("Paid Search", 20, _utm("bing", "cpc", "brand"), "https://www.bing.com/", "msclkid"),
    Channel("Paid Search", 4, _utm("partner", "referral"), "", "msclkid"),
    Channel("Paid Social", 6, "", "https://www.tiktok.com/", "ttclid"),
    Channel("Email", 70, _utm("newsletter", "email", "autumn_sale"), ""),
    Channel("Email", 6, "UTM_SOURCE=NEWSLETTER&UTM_MEDIUM=EMAIL", ""),
    Channel("Email", 6, "utm_source=newsletter&amp;utm_medium=email", ""),
    Channel("Email", 6, "#utm_source=newsletter&utm_medium=email", ""),
    Channel("Email", 4, "utm_source=newsletter?utm_medium=email", ""),
    Channel("Email", 4, "utm_source=&utm_source=newsletter&utm_medium=email&utm_medium=cpc", ""),
    Channel("Paid Social", 4, "utm_source=facebook&utm_medium=paid%2520social", ""),
    Channel("Paid Social", 60, _utm("facebook", "paid_social", "retargeting"), "https://l.facebook.com/", "fbclid"),
    Channel("Organic Social", 25, _utm("instagram", "social", "bio"), "https://l.instagram.com/"),
    Channel("Organic Social", 15, "", "https://l.facebook.com/", "fbclid"),
    Channel("Organic Social", 6, "", "", "fbclid"),
    Channel("Paid Video", 12, _utm("youtube", "paid_video", "sleep_stories"), "https://www.youtube.com/"),
    Channel("Display", 12, _utm("criteo", "display", "prospecting"), ""),
    Channel("Affiliates", 15, _utm("awin", "affiliate", "deals"), "https://deals.example/"),
    Channel("SMS", 4, _utm("sms", "sms", "flash"), ""),
    Channel("Unassigned", 3, _utm("leaflet", "print", "fr%C3%BChjahr"), ""),
)

_CHANNEL_WEIGHTS = tuple(accumulate(channel.weight for channel in CHANNELS))

_HOUR_WEIGHTS = tuple(
    accumulate((4, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 15, 16, 15, 14, 14, 15, 17, 19, 22, 24, 22, 14, 8))
)
"""How many visits begin in each hour of a day in UTC, added up."""


def draw_arrival(rng: Random) -> tuple[str, Channel]:
    """Draw how one visit begins: the query of the landing page's address, which may be empty, and the channel."""
    channel = rng.choices(CHANNELS, cum_weights=_CHANNEL_WEIGHTS)[0]
    click_id = f"{channel.click_id}=Cj0K{rng.getrandbits(96):024x}" if channel.click_id else ""
    return "&".join(filter(None, (channel.query, click_id))), channel


def draw_time_of_day(rng: Random) -> int:
    """Draw when in its day a visit begins, in milliseconds since midnight UTC."""
    hour = rng.choices(range(24), cum_weights=_HOUR_WEIGHTS)[0]
    return hour * HOUR + rng.randrange(HOUR)
