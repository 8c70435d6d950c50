"""Visits of people and crawlers to the web shop and the app."""

import hashlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from analytics_platform.demo.simulator import catalogue
from analytics_platform.demo.simulator.catalogue import PRODUCTS, SHOP, SimulatedProduct
from analytics_platform.demo.simulator.events import DAY, HOUR, MINUTE, SECOND, USER, Event, Item, Purchase, Scope
from analytics_platform.demo.simulator.forms import describe_items, describe_list, describe_order, encode
from analytics_platform.demo.simulator.money import draw_order, give_back, tell_order

_MEAN_PAUSE = 45 * SECOND
_EDGES = (30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1, 30 * MINUTE + SECOND)
"""Pauses in milliseconds at the edge of the session rule."""


def draw_pause(rng: Random) -> int:
    """Draw milliseconds until the next event: mostly under a minute or two, sometimes near the 30-minute edge."""
    fate = rng.random()
    if fate < 0.002:
        return rng.choice(_EDGES)
    if fate < 0.012:
        return rng.randrange(20 * MINUTE, 45 * MINUTE)
    return SECOND + int(rng.expovariate(1.0) * _MEAN_PAUSE)


class Visit:
    """One visit of a client: the clock (milliseconds since 1970), the open page, and the events so far."""

    def __init__(self, rng: Random, client_id: str, starts_at: int, **fields: Any) -> None:
        """Begin a visit; `fields` are those that all its events have in common."""
        self.rng = rng
        self.at = starts_at
        self.events: list[Event] = []
        self._open = Event(client_id, starts_at, "", **fields)

    def record(self, name: str, **fields: Any) -> None:
        """Add an event on the open page."""
        self.events.append(self._open._replace(at=self.at, name=name, **fields))

    def wait(self) -> None:
        """Pause on the page."""
        self.at += draw_pause(self.rng)

    def land(self, path: str) -> None:
        """Open the first page, with the campaign and the referrer that led here."""
        query, channel = catalogue.draw_arrival(self.rng)
        mark = "" if not query or query.startswith("#") else "&" if "?" in path else "?"
        tagged, referred = (channel.group, "") if query else ("", channel.group)
        self._open = self._open._replace(
            page_url=SHOP + path + mark + query, referrer=channel.referrer, tagged=tagged, referred=referred
        )

    def open(self, url: str, referrer: str = "") -> None:
        """Follow a link after a pause, without an event; the referrer is the page before, unless it is given."""
        self.wait()
        self._open = self._open._replace(page_url=url, referrer=referrer or self._open.page_url, tagged="", referred="")


class Visitor(NamedTuple):
    """A client of the web shop, what stays the same from visit to visit, and the users who sign in there."""

    client_id: str
    user_agent: str
    email: str
    uses_app: bool
    users: tuple[int, ...]


_KNOWN_VISITORS = 20_000  # may come back; a new one replaces any of them


def draw_visitor(rng: Random, known: list[Visitor], users: range) -> Visitor:
    """Draw one of the `known` visitors, or a new one, who is then known and may be up to two of the users."""
    if known and rng.random() < 0.3:
        return rng.choice(known)
    client_id, agent = (
        f"{rng.getrandbits(96):024x}",
        rng.choices(catalogue.PEOPLE, cum_weights=catalogue.PEOPLE_WEIGHTS)[0],
    )
    email, uses_app = hash_email(rng.getrandbits(48)), rng.random() < 0.1
    accounts = rng.sample(users, rng.choices((0, 1, 2), (85, 12, 3))[0])
    visitor = Visitor(client_id, agent, email, uses_app, tuple(accounts))
    if len(known) < _KNOWN_VISITORS:
        known.append(visitor)
    else:
        known[rng.randrange(_KNOWN_VISITORS)] = visitor
    return visitor


def hash_email(number: int) -> str:
    """Compute the SHA-256 of the made-up e-mail address of a visitor, in hex."""
    return hashlib.sha256(f"visitor{number}@mail.example".encode()).hexdigest()


def _draw_basket(rng: Random, first: SimulatedProduct) -> list[Item]:
    """Draw a basket of one to three products, beginning with the one just seen."""
    others = rng.sample(PRODUCTS, rng.choice((0, 0, 0, 1, 1, 2)))
    basket = [product.item(rng.choice(product.variants), rng.choice((1, 1, 1, 2))) for product in (first, *others)]
    return [item.reduced("SLEEP20", 20) for item in basket] if rng.random() < 0.15 else basket


def visit_shop(rng: Random, visitor: Visitor, starts_at: int, user: int = 0) -> list[Event]:
    """Make the events of one visit, of a user or a guest, to the web shop or its app-like part."""
    visit = Visit(rng, visitor.client_id, starts_at, user_agent=visitor.user_agent, user=user)
    if visitor.uses_app:
        _browse_lists(visit)
    else:
        _browse_pages(visit, visitor.email)
    return visit.events


def _browse_pages(visit: Visit, email: str) -> None:
    """View pages, perhaps a pop-up, a cart and a checkout."""
    rng = visit.rng
    product = rng.choice(PRODUCTS) if rng.random() < 0.4 else None
    visit.land(f"/products/{product.slug}" if product else _draw_path(rng))
    visit.record("page_viewed")
    if rng.random() < 0.04:
        visit.wait()
        visit.record("email_filled_on_popup", data=encode({"user_email": email}))
    while rng.random() < 0.76:
        product = rng.choice(PRODUCTS) if rng.random() < 0.5 else None
        visit.open(_draw_product_url(rng, product) if product else SHOP + _draw_path(rng))
        visit.record("page_viewed")
        if product and rng.random() < 0.13:
            visit.wait()
            visit.record("product_added_to_cart")
            if rng.random() < 0.45:
                _check_out(visit, email, product)
                return


def _draw_path(rng: Random) -> str:
    """Draw a page that is not a product's."""
    listed, read = rng.choice(catalogue.COLLECTIONS), rng.choice(catalogue.ARTICLES)
    paths = ("/", f"/collections/{listed}", f"/blogs/{read}", f"/search?q={rng.choice(catalogue.SEARCHES)}")
    return rng.choices(paths, (35, 45, 12, 8))[0]


def _draw_product_url(rng: Random, product: SimulatedProduct) -> str:
    """Draw the address of a product's page, sometimes with a variant, rarely with a comma."""
    query = rng.choices(("", f"?variant={rng.randrange(len(product.variants))}", "?sort=price,asc"), (70, 28, 2))[0]
    return product.page_url + query


def _check_out(visit: Visit, email: str, product: SimulatedProduct) -> None:
    """Check out, which many leave; a few confirmations are sent again, minutes or a day later, as by a reload.

    Some pay elsewhere and come back from there. Some confirmations are sent by the shop's server.
    """
    rng = visit.rng
    host = rng.choice((SHOP, catalogue.CHECKOUT))
    visit.open(f"{host}/checkout")
    visit.record("checkout_started")
    if rng.random() < 0.4:
        return
    basket = _draw_basket(rng, product)
    visit.open(f"{host}/checkout/thank-you", rng.choice(("", "", "https://www.paypal.com/", "https://pay.klarna.com/")))
    sender = {"user_agent": catalogue.SERVERS[0]} if rng.random() < 0.05 else {}
    for purchase, items in draw_order(rng, basket):
        visit.wait()
        visit.record("checkout_completed", data=describe_order(purchase, items, email), purchase=purchase, **sender)
    fate, last = rng.random(), visit.events[-1]
    if fate < 0.02:
        visit.events.append(last._replace(at=last.at + rng.randrange(MINUTE, 20 * MINUTE)))
    elif fate < 0.03:
        visit.events.append(last._replace(at=last.at + DAY + rng.randrange(20 * MINUTE)))
    elif fate < 0.13:
        _refund(visit, basket, *catalogue.SERVERS)


def _refund(visit: Visit, basket: Sequence[Item], *senders: str) -> None:
    """Refund the last order, wholly or a piece of it, as the shop's server tells it hours or days later."""
    rng, kind = visit.rng, visit.rng.choice(("whole", "item", "minus"))
    after, sender = rng.randrange(HOUR, 3 * DAY), rng.choice((*senders, ""))
    visit.events.append(give_back(visit.events[-1], basket, kind, after, sender))


def _browse_lists(visit: Visit) -> None:
    """Visit the app-like part of the web shop, whose events are those of Google Analytics 4."""
    rng = visit.rng
    visit.land("/app/")
    if rng.random() < 0.3:
        _see_promotion(visit)
    while True:
        shown = rng.choice(catalogue.LISTS)
        if shown.list_id == "search":
            visit.record(
                "view_search_results", data=encode({"search_term": unquote_plus(rng.choice(catalogue.SEARCHES))})
            )
            visit.wait()
        visit.record("view_item_list", data=describe_list(shown, 1, len(shown.products)))
        index = rng.randint(1, len(shown.products))
        product = shown.products[index - 1]
        if rng.random() < 0.35:
            return
        visit.wait()
        visit.record("select_item", data=describe_list(shown, index, index))
        visit.open(f"{SHOP}/app/products/{product.slug}")
        item = product.item(quantity=1)
        visit.record("view_item", items=(item,), data=describe_items([item]))
        if rng.random() < 0.15:
            _buy_basket(visit, _draw_basket(rng, product))
            return
        if rng.random() < 0.5:
            return
        visit.open(f"{SHOP}/app/lists/{shown.list_id}")


def _see_promotion(visit: Visit) -> None:
    """See a promotion, and perhaps follow it."""
    promotion = visit.rng.choice(("Winter sale", "Neue Decken"))
    described = encode({"promotion_id": promotion[:3].upper(), "promotion_name": promotion, "creative_slot": "home"})
    visit.record("view_promotion", data=described)
    visit.wait()
    if visit.rng.random() < 0.2:
        visit.record("select_promotion", data=described)
        visit.wait()


def _buy_basket(visit: Visit, basket: list[Item]) -> None:
    """Go from cart to checkout to purchase; some leave at each step."""
    rng = visit.rng
    visit.wait()
    visit.record("add_to_cart", data=describe_items(basket))
    if rng.random() < 0.5:
        return
    visit.open(f"{SHOP}/app/checkout")
    visit.record("begin_checkout", data=describe_items(basket))
    if rng.random() < 0.4:
        return
    for purchase, items in draw_order(rng, basket):
        visit.wait()
        visit.record("purchase", data=describe_items(items, **purchase.fields), purchase=purchase)
    if rng.random() < 0.1:
        _refund(visit, basket, *catalogue.SERVERS)


def visit_app(rng: Random, user_id: int, starts_at: int) -> list[Event]:
    """Make the events of one visit of a user to the app."""
    visit = Visit(rng, f"{USER}{user_id}", starts_at)
    fate = rng.random()
    if fate < 0.10:
        _tap(visit, "app_open")
    elif fate < 0.18:
        # a notification leads straight to a product, past any list
        _tap(visit, "view_item", rng.choice(catalogue.APP_PRODUCTS).item(quantity=1))
    while _browse_app_list(visit) and rng.random() < 0.5:
        pass
    return visit.events


def _tap(visit: Visit, name: str, *items: Item, purchase: Purchase | None = None) -> None:
    """Add an event, sometimes at a whole second, and pause."""
    if visit.rng.random() < 0.25:
        visit.at = -(-visit.at // SECOND) * SECOND
    visit.record(name, items=items, purchase=purchase)
    visit.wait()


def _browse_app_list(visit: Visit) -> bool:
    """Look at a list of 10 to 20 items and perhaps at one of its products; False once the visit is over."""
    rng = visit.rng
    shown = rng.choices(catalogue.APP_LISTS, weights=catalogue.LIST_WEIGHTS)[0]
    length = rng.randint(10, 20)
    _tap(visit, "view_item_list", *shown.items[:length])
    if rng.random() < 0.35:
        return False
    clicked = shown.items[min(length - 1, int(rng.expovariate(0.2)))]
    _tap(visit, "select_item", clicked)
    _tap(visit, "view_item", clicked._replace(quantity=1))
    if rng.random() < 0.2:
        _buy_items(visit, _draw_app_basket(rng, clicked))
        return False
    return True


def _draw_app_basket(rng: Random, clicked: Item) -> tuple[Item, ...]:
    """Draw the product just seen and up to two more, each credited to a different list or to none."""
    others = [each for each in catalogue.APP_LISTS if each.name != clicked.list_name]
    basket = [clicked]
    for shown in rng.sample(others, rng.choice((0, 0, 0, 1, 2))):
        item = rng.choice(shown.items)
        if item.item_id not in {each.item_id for each in basket}:
            basket.append(item if rng.random() < 0.6 else item._replace(list_name="", list_index=None))
    counted = tuple(item._replace(quantity=rng.choice((1, 1, 1, 2))) for item in basket)
    return tuple(item.reduced("WELCOME10", 10) for item in counted) if rng.random() < 0.15 else counted


def _buy_items(visit: Visit, basket: tuple[Item, ...]) -> None:
    """Go from cart to checkout to purchase; some leave at each step, and a few purchases are sent at two times."""
    rng = visit.rng
    _tap(visit, "add_to_cart", *basket)
    if rng.random() < 0.4:
        return
    total = tell_order("", basket)[0].cents
    paid = tuple(item._replace(total=total) for item in basket)
    _tap(visit, "begin_checkout", *paid)
    if rng.random() < 0.35:
        return
    for purchase, items in draw_order(rng, paid):
        _tap(visit, "purchase", *items, purchase=purchase)
    fate = rng.random()
    if fate < 0.04:
        _tap(visit, "purchase", *items, purchase=purchase)
    elif fate < 0.12:
        _refund(visit, paid)


def visit_signed_in(rng: Random, user_id: int, starts_at: int) -> list[Event]:
    """Make the logged events of one visit of a user to the web shop."""
    device = rng.choices(("Mobile", "Desktop", "Tablet"), (6, 4, 1))[0]
    session_id = rng.choice(range(10_000, 1_000_000_000))
    visit = Visit(rng, f"{USER}{user_id}", starts_at, device=device, session_id=session_id)
    _look_at_product(visit, user_id)
    while rng.random() < 0.7:
        _look_at_product(visit, user_id)
    return visit.events


def _look_at_product(visit: Visit, user_id: int) -> None:
    """View a product, perhaps read its reviews, perhaps put it into the cart and out again."""
    rng = visit.rng

    def log(action: str, *items: Item) -> None:
        visit.record(action, items=items)
        visit.wait()

    # the user's favourite, or any product
    place = user_id * 7 if rng.random() < 0.25 else rng.randrange(len(PRODUCTS))
    item = PRODUCTS[place % len(PRODUCTS)].item()
    log("view_item", item)
    if rng.random() < 0.15:
        log("click_review", item)
    if rng.random() < 0.2:
        log("add_to_cart", item)
        fate = rng.random()
        if fate < 0.2:
            log("remove_from_cart", item)
        elif fate < 0.4:
            log("apply_coupon")


_PAGES = (
    f"{SHOP}/",
    *(f"{SHOP}/collections/{slug}" for slug in catalogue.COLLECTIONS),
    *(each.page_url for each in PRODUCTS),
)


def crawl_without_pause(rng: Random, scope: Scope) -> Iterator[Event]:
    """Make one client that never pauses: an event every 5 to 25 minutes, so that only midnight cuts its sessions."""
    at = scope.start + rng.randrange(5 * MINUTE)
    while at < scope.end:
        yield _crawl_page(rng, "googlebot-66-249-66-1", at, catalogue.GOOGLEBOT)
        at += rng.randrange(5 * MINUTE, 25 * MINUTE)


def crawl_day(rng: Random, midnight: int, visitors: int) -> Iterator[Event]:
    """Make short bursts of other crawlers in the day that begins at `midnight`, about one to 150 visitors."""
    for _ in range(2 + visitors // 150):
        number = rng.randrange(len(catalogue.CRAWLERS))
        client_id = f"crawler-{number}-{rng.randrange(4)}"
        at = midnight + rng.randrange(DAY)
        for _ in range(rng.randint(3, 40)):
            yield _crawl_page(rng, client_id, at, catalogue.CRAWLERS[number])
            at += rng.randrange(SECOND, 3 * MINUTE)


def _crawl_page(rng: Random, client_id: str, at: int, user_agent: str) -> Event:
    return Event(client_id, at, "page_viewed", page_url=rng.choice(_PAGES), user_agent=user_agent)
