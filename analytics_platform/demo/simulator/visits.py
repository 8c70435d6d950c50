"""Visits of people to the web shop and to the app, from the first page to the last click."""

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.bodies import (
    LISTS,
    Line,
    describe_items,
    describe_list,
    describe_order,
    describe_purchase,
    describe_signup,
    hash_email,
    make_purchase,
)
from analytics_platform.demo.simulator.catalogue import (
    APP_LISTS,
    APP_PRODUCTS,
    ARTICLES,
    COLLECTIONS,
    LIST_WEIGHTS,
    PEOPLE,
    PEOPLE_WEIGHTS,
    PRODUCTS,
    SEARCHES,
    SHOP,
    AppList,
    Product,
    describe_product,
    draw_arrival,
)
from analytics_platform.demo.simulator.events import (
    DAY,
    MINUTE,
    SECOND,
    AppEvent,
    Bought,
    Event,
    Item,
    LogEvent,
    Purchase,
)

_AGENT_WEIGHTS = tuple(accumulate(PEOPLE_WEIGHTS))
_MEAN_PAUSE = 45 * SECOND
_EDGES = (30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1, 30 * MINUTE + SECOND)
"""Pauses in milliseconds at the edge of the session rule."""


class Visitor(NamedTuple):
    """A client and what stays the same from visit to visit."""

    client_id: str
    user_agent: str
    email: str
    uses_app: bool


def draw_visitor(rng: Random) -> Visitor:
    """Draw a client never seen before."""
    return Visitor(
        client_id=f"{rng.getrandbits(96):024x}",
        user_agent=rng.choices(PEOPLE, cum_weights=_AGENT_WEIGHTS)[0],
        email=hash_email(rng.getrandbits(48)),
        uses_app=rng.random() < 0.1,
    )


def draw_pause(rng: Random) -> int:
    """Draw milliseconds until the next event: mostly under a minute or two, sometimes near the 30-minute edge."""
    fate = rng.random()
    if fate < 0.002:
        return rng.choice(_EDGES)
    if fate < 0.012:
        return rng.randrange(20 * MINUTE, 45 * MINUTE)
    return SECOND + int(rng.expovariate(1.0) * _MEAN_PAUSE)


class Visit:
    """One visit being made: it knows the clock, the open page, and the events so far."""

    def __init__(self, rng: Random, visitor: Visitor, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970) with no page open."""
        self.events: list[Event] = []
        self._rng = rng
        self._visitor = visitor
        self._at = starts_at
        self._page = ""
        self._referrer = ""

    def land(self, path: str) -> None:
        """Open the first page, with the campaign and the referrer that led here."""
        arrival = draw_arrival(self._rng)
        mark = "&" if "?" in path else "?"
        self._page = SHOP + path + (mark + arrival.query if arrival.query else "")
        self._referrer = arrival.referrer

    def open(self, url: str) -> None:
        """Follow a link after a pause, without an event."""
        self._at += draw_pause(self._rng)
        self._page, self._referrer = url, self._page

    def record(self, name: str, data: str = "", purchase: Purchase | None = None) -> None:
        """Let something happen on the open page."""
        client_id, agent, *_ = self._visitor
        event = Event(client_id, self._at, name, self._page, self._referrer, data, agent, purchase=purchase)
        self.events.append(event)

    def wait(self) -> None:
        """Stay on the page for a while."""
        self._at += draw_pause(self._rng)

    def repeat_last(self, delay: int) -> None:
        """Send the last event again `delay` milliseconds later, as reloaded confirmation pages do."""
        last = self.events[-1]
        self.events.append(last._replace(at=last.at + delay))


def draw_basket(rng: Random, first: Product) -> list[Line]:
    """Draw a basket of one to three lines, beginning with the product just seen."""
    others = rng.sample(PRODUCTS, rng.choice((0, 0, 0, 1, 1, 2)))
    return [Line(product, rng.choice(product.variants), rng.choice((1, 1, 1, 2))) for product in (first, *others)]


def draw_transaction_id(rng: Random) -> str:
    """Draw an order number as the shop writes it."""
    return f"{rng.randrange(4_000_000_000_000, 6_000_000_000_000)}"


def browse(rng: Random, visitor: Visitor, visit: Visit) -> None:
    """Visit the web shop: pages, perhaps a pop-up, a cart and a checkout."""
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


def use_app(rng: Random, visit: Visit) -> None:
    """Visit the app-like part of the shop, which speaks Google Analytics 4."""
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


def make_visit(rng: Random, visitor: Visitor, starts_at: int) -> list[Event]:
    """Make the events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = Visit(rng, visitor, starts_at)
    if visitor.uses_app:
        use_app(rng, visit)
    else:
        browse(rng, visitor, visit)
    return visit.events


_WHOLE_SECOND_SHARE = 0.25
_SHORTEST_LIST, _LONGEST_LIST = 10, 20
"""How many items of a list are shown."""


class AppVisit:
    """One visit being made: it knows the clock and the events so far."""

    def __init__(self, rng: Random, user_id: int, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970)."""
        self.events: list[AppEvent] = []
        self.rng = rng
        self._user_id = user_id
        self._at = starts_at

    def record(self, name: str, *items: Item, purchase: Purchase | None = None) -> None:
        """Let something happen, and a pause follow; some events fall on a whole second."""
        if self.rng.random() < _WHOLE_SECOND_SHARE:
            self._at = -(-self._at // SECOND) * SECOND
        self.events.append(AppEvent(self._user_id, self._at, name, items, purchase))
        self._at += draw_pause(self.rng)


def make_app_visit(rng: Random, user_id: int, starts_at: int) -> list[AppEvent]:
    """Make the events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = AppVisit(rng, user_id, starts_at)
    fate = rng.random()
    if fate < 0.10:
        visit.record("app_open")
    elif fate < 0.18:
        # a notification leads straight to a product, past any list
        visit.record("view_item", describe_product(rng.choice(APP_PRODUCTS), 0)._replace(quantity=1))
    while _browse_list(visit) and rng.random() < 0.5:
        pass
    return visit.events


def _browse_list(visit: AppVisit) -> bool:
    """Look at a list and perhaps at one of its products; False once the visit is over."""
    rng = visit.rng
    shown: AppList = rng.choices(APP_LISTS, weights=LIST_WEIGHTS)[0]
    length = rng.randint(_SHORTEST_LIST, _LONGEST_LIST)
    visit.record("view_item_list", *shown.items[:length])
    if rng.random() < 0.35:
        return False
    clicked = shown.items[min(length - 1, int(rng.expovariate(0.2)))]
    visit.record("select_item", clicked)
    visit.record("view_item", clicked._replace(quantity=1))
    if rng.random() < 0.2:
        _buy_items(visit, _draw_app_basket(rng, clicked))
        return False
    return True


def _draw_app_basket(rng: Random, clicked: Item) -> tuple[Item, ...]:
    """The product just seen and up to two more, each credited to a list of its own or to none."""
    coupon = "WELCOME10" if rng.random() < 0.15 else ""
    others = [each for each in APP_LISTS if each.name != clicked.list_name]
    basket = [clicked]
    for shown in rng.sample(others, rng.choice((0, 0, 0, 1, 2))):
        item = rng.choice(shown.items)
        if item.item_id not in {each.item_id for each in basket}:
            basket.append(item if rng.random() < 0.6 else item._replace(list_name="", list_index=None))
    return tuple(item._replace(quantity=rng.choice((1, 1, 1, 2)), coupon=coupon) for item in basket)


def make_item_purchase(transaction_id: str, basket: Sequence[Item]) -> Purchase:
    """Make the order of a basket."""
    cents = sum(item.cents * (item.quantity or 0) for item in basket)
    bought = tuple(Bought(item.item_id, item.variant, item.quantity or 0) for item in basket)
    return Purchase(transaction_id, cents, bought)


def _buy_items(visit: AppVisit, basket: tuple[Item, ...]) -> None:
    """Cart, checkout and purchase, each step left by some; a few purchases are told twice, at two times."""
    rng = visit.rng
    visit.record("add_to_cart", *basket)
    if rng.random() < 0.4:
        return
    purchase = make_item_purchase("", basket)
    paid = tuple(item._replace(total=purchase.cents) for item in basket)
    visit.record("begin_checkout", *paid)
    if rng.random() < 0.35:
        return
    purchase = purchase._replace(transaction_id=draw_transaction_id(rng))
    visit.record("purchase", *paid, purchase=purchase)
    if rng.random() < 0.04:
        visit.record("purchase", *paid, purchase=purchase)


class LoggedVisit:
    """One visit being made: it knows the clock and the events so far."""

    def __init__(self, rng: Random, user_id: int, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970)."""
        self.events: list[LogEvent] = []
        self.rng = rng
        self.user_id = user_id
        self._at = starts_at
        self._device = rng.choices(("Mobile", "Desktop", "Tablet"), (6, 4, 1))[0]
        self._session_id = rng.choice(range(10_000, 1_000_000_000))

    def record(self, action: str, item_name: str | None) -> None:
        """Let something happen, and a pause follow."""
        self.events.append(LogEvent(self.user_id, self._at, action, item_name, self._device, self._session_id))
        self._at += draw_pause(self.rng)


def make_logged_visit(rng: Random, user_id: int, starts_at: int) -> list[LogEvent]:
    """Make the events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = LoggedVisit(rng, user_id, starts_at)
    _look_at_product(visit)
    while rng.random() < 0.7:
        _look_at_product(visit)
    return visit.events


def _look_at_product(visit: LoggedVisit) -> None:
    """View a product, perhaps read its reviews, perhaps put it into the cart and out again."""
    rng = visit.rng
    # the user's favourite, or any product
    place = visit.user_id * 7 if rng.random() < 0.25 else rng.randrange(len(PRODUCTS))
    name = PRODUCTS[place % len(PRODUCTS)].name
    visit.record("view_item", name)
    if rng.random() < 0.15:
        visit.record("click_review", name)
    if rng.random() < 0.2:
        visit.record("add_to_cart", name)
        fate = rng.random()
        if fate < 0.2:
            visit.record("remove_from_cart", name)
        elif fate < 0.4:
            visit.record("apply_coupon", None)
