"""Events in the shop before they become text, the scope of a simulation, and its users as the users API has them."""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Durations in milliseconds, the unit of every time in this package. Instants are milliseconds since 1970 in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(at: int) -> datetime:
    """Return the aware UTC datetime of this instant (milliseconds since 1970)."""
    return EPOCH + timedelta(milliseconds=at)


class Item(NamedTuple):
    """A product in an event; empty texts and None are missing values, money is in cents.

    `list_name` is the list the product was shown on or reached from. `total` is what its basket costs, a
    parameter of the item in a checkout. An item that is not `is_priced` does not tell its price. `discount` is what a
    coupon has taken off the price.
    """

    item_id: str
    name: str
    brand: str
    category: str
    variant: str
    cents: int
    quantity: int | None = None
    list_name: str = ""
    list_index: int | None = None
    coupon: str = ""
    total: int | None = None
    is_priced: bool = True
    discount: int = 0

    @property
    def price(self) -> float | None:
        """The price as events tell it."""
        return self.cents / 100 if self.is_priced else None

    def reduced(self, coupon: str, percent: int) -> "Item":
        """Return the item at the lower price that it has with a coupon."""
        discount = self.cents * percent // 100
        return self._replace(coupon=coupon, cents=self.cents - discount, discount=discount)


class Bought(NamedTuple):
    """The pieces of a product in an order; an empty variant is none."""

    item_id: str
    variant: str
    quantity: int


class Purchase(NamedTuple):
    """The content of the event of an order or refund: the order's number, its money, and what was bought.

    `cents` is its value, None if the event does not tell it, `values` those of the lines, and `written` what the event
    says, all in `currency`. A refund without value gives back the whole order; a negative order is a refund. `shipping`
    is part of the value, and so is `tax`. `goods` is what the lines cost in the shop's catalogue, in its currency.
    `discounts` are those of a piece of each line.
    """

    transaction_id: str
    cents: int | None
    lines: tuple[Bought, ...] = ()
    currency: str = "EUR"
    values: tuple[int, ...] = ()
    written: float | str | None = None
    shipping: int = 0
    tax: int = 0
    coupon: str = ""
    goods: int = 0
    discounts: tuple[int, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether the shop cancels the order; nobody orders nothing there."""
        return bool(self.lines) and int(self.transaction_id) % 23 == 0

    @property
    def fields(self) -> dict[str, object]:
        """The fields of Google Analytics 4."""
        fields = {"transaction_id": self.transaction_id, "value": self.written, "currency": self.currency}
        return {**fields, **self.extras}

    @property
    def extras(self) -> dict[str, object]:
        """What the event says beside the value, as far as there is any."""
        extras = {"shipping": self.shipping / 100, "tax": self.tax / 100, "coupon": self.coupon}
        return {name: value for name, value in extras.items() if value}


class Event(NamedTuple):
    """One thing one client did, in any source; `at` is in milliseconds since 1970 UTC.

    The clickstream has the fields of a page, with `data` as JSON text or empty; messages and logs have items, and logs
    a device and a session. `tagged` and `referred` are the channels that address and referrer stand for, or empty.
    `user` is who is signed in on a browser, of which only messages tell, or 0. No two events of a client in one source
    share a millisecond, except staged logs.
    """

    client_id: str
    at: int
    name: str
    items: tuple[Item, ...] = ()
    purchase: Purchase | None = None
    page_url: str = ""
    referrer: str = ""
    data: str = ""
    user_agent: str = ""
    tagged: str = ""
    referred: str = ""
    device: str = ""
    session_id: int = 0
    user: int = 0

    @property
    def user_id(self) -> int:
        """The user who is signed in, who is the client in the app and in logs; 0 for a guest."""
        return int(self.client_id.removeprefix(USER)) if self.client_id.startswith(USER) else self.user

    @property
    def viewed(self) -> list[str]:
        """The names of the products that this event is a view of."""
        return [item.name for item in self.items] if self.name == "view_item" else []


LOGIN = "login"
USER = "user:"
"""Begins the client id of a user."""

STAGED = 19
"""Number of customers, from user id 1 on, whose events are made by hand; no visit is drawn for them."""


class Population(NamedTuple):
    """User ids. The users of the app and of the web shop's logs overlap; every stranger uses the web shop."""

    customers: range
    app_users: range
    web_users: range
    strangers: range

    @property
    def newcomers(self) -> range:
        """The strangers that the later answer of the users API contains."""
        return self.strangers[: len(self.strangers) // 2]


class Scope(NamedTuple):
    """The arguments of a simulation, which fix every byte it writes.

    The `early_days` come before the `days`, have a quarter of the visitors, and begin 34 days before the end: in
    another month, and long enough ago to see who orders again within 30 days.
    """

    seed: int
    first_day: date
    days: int
    visitors: int
    early_days: int = 0

    @property
    def midnights(self) -> list[int]:
        """The midnights at which days with visitors begin, in milliseconds since 1970."""
        early = self.end - 34 * DAY
        return [*range(early, min(early + self.early_days * DAY, self.start), DAY), *range(self.start, self.end, DAY)]

    def visitors_of(self, midnight: int) -> int:
        """Return about how many visitors come on the day that begins then."""
        return self.visitors if midnight >= self.start else self.visitors // 4

    @property
    def start(self) -> int:
        """The midnight at which the first day begins, in milliseconds since 1970."""
        return (self.first_day - EPOCH.date()).days * DAY

    @property
    def end(self) -> int:
        """The midnight at which the last day ends, in milliseconds since 1970."""
        return self.start + self.days * DAY

    @property
    def population(self) -> Population:
        """The users of a shop with about that many visitors a day."""
        last = max(40, self.visitors)
        chosen = last - STAGED
        return Population(
            customers=range(1, last + 1),
            app_users=range(STAGED + 1 + chosen // 3, last + 1),
            web_users=range(STAGED + 1, STAGED + 1 + chosen * 3 // 4),
            strangers=range(last + 1, last + 1 + max(4, round(last * 0.04))),
        )

    def random(self, matter: str) -> Random:
        """Return a random generator for one matter, independent of all other matters."""
        return Random(f"{self.seed}: {matter}")


CHANGED_USER = STAGED + 1
"""The one customer whose later answer differs."""

_FIRST_NAMES = (
    *("Annelie", "Björn", "Chloé", "Darius", "Elif", "Farid", "Greta", "Hélène", "Ines", "Jean-Luc", "Kamila"),
    *("Lars", "Mónica", "Nils", "Oona", "Pía", "Quentin", "Rasmus", "Sanne", "Tamás", "Ulla", "Viktor", "Wanda"),
)
_LAST_NAMES = (
    *("Abt", "Brandström", "Castaño", "DuBois", "Engel", "Fjeld", "García", "Hübner", "Ilves", "Jäger", "Kowalska"),
    *("Lindqvist", "McAdam", "Nowak", "O'Shea", "Petit", "Quist", "Rötger", "Santos", "Thorn", "Vogt-Maas", "Zeller"),
)
_HONORIFICS = ("Mrs.", "Mr.", "Ms.", "Dr.", "Prof.")
_SUFFIXES = ("V", "III", "Jr.", "Sr.", "PhD", "MD")
_COMPANIES = ("Abt-Engel", "Fjeld Group", "Kowalska and Sons", "Nowak LLC", "Petit, Thorn & Quist")
_CITIES = {
    **{"Gävle": (60.67, 17.12), "Köln": (50.94, 6.96), "Łódź": (51.77, 19.46), "Málaga": (36.74, -4.46)},
    **{"Nîmes": (43.84, 4.36), "Århus": (56.16, 10.15)},
}
"""City → latitude and longitude."""
_AROUND = 0.03  # degrees from the middle of the city, at most: about three kilometres
_BAD_EMAILS = ("nobody", "anna@", "@mail.example", "anna at mail.example", "anna@@mail.example", "an na@mail.example")
_BAD_EMAIL_WITH_LOGS = STAGED + 2
_BAD_EMAIL_EVERY = 37


class SimulatedUser(NamedTuple):
    """One user: the entry of the answer, and the customer the platform must make of it; None if it is rejected."""

    entry: dict[str, Any]
    person: dict[str, str | None] | None


def draw_answers(scope: Scope) -> tuple[dict[int, SimulatedUser], dict[int, SimulatedUser]]:
    """Draw both answers of the users API (jsonplaceholder's `/users`), by user id.

    The later one also has the newcomers, and one customer has moved.
    """
    rng, population = scope.random("users"), scope.population
    # malformed is the address of one user with logs, which become orphans, and of some without
    without_logs = range(population.web_users.stop, population.customers.stop)
    bad = {_BAD_EMAIL_WITH_LOGS, *without_logs[::_BAD_EMAIL_EVERY]}
    ids = (*population.customers, *population.newcomers)
    later = {user_id: _draw_user(rng, user_id, user_id in bad) for user_id in ids}
    first = {user_id: later[user_id] for user_id in population.customers}
    return first, later | {CHANGED_USER: _move(later[CHANGED_USER])}


def _draw_user(rng: Random, user_id: int, is_bad: bool) -> SimulatedUser:
    """Draw a user; no two have the same e-mail address."""
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    local = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode().replace("'", "")
    email = f"{local}{user_id}@Mail.example"
    company = rng.choice(_COMPANIES) if rng.random() < 0.9 else None
    city = rng.choice(list(_CITIES)) if rng.random() < 0.95 else None
    # names as people write them
    honorific = f"{rng.choice(_HONORIFICS)} " if rng.random() < 0.12 else ""
    suffix = f" {rng.choice(_SUFFIXES)}" if rng.random() < 0.1 else ""
    phone = f"1-770-{rng.randrange(1_000):03}-{rng.randrange(10_000):04} x{rng.randrange(100_000)}"
    entry: dict[str, Any] = {
        "id": user_id,
        "name": f"{honorific}{first} {last}{suffix}",
        "username": f"{first}{user_id}" if rng.random() < 0.5 else f"{first}_{last}",
        "email": rng.choice(_BAD_EMAILS) if is_bad else email,
        "address": _draw_address(rng, city),
        "phone": None if rng.random() < 0.05 else phone,
        "website": "" if rng.random() < 0.05 else f"{local.lower()}.example",
    }
    if company:
        entry["company"] = {"name": company, "catchPhrase": "Multi-layered sleep", "bs": "ship soft pillows"}
    person = {"first_name": first, "last_name": last, "email": email.lower(), "company": company, "city": city}
    return SimulatedUser(entry, None if is_bad else person)


def _draw_address(rng: Random, city: str | None) -> dict[str, Any]:
    """Draw an address; the coordinates, near the city's, are numbers as text, and missing for some."""
    return {
        "street": f"{rng.choice(_LAST_NAMES)} Street",
        "suite": f"Apt. {rng.randrange(1, 999)}",
        "city": city,
        "zipcode": f"{rng.randrange(100_000):05}-{rng.randrange(10_000):04}",
        "geo": _draw_place(rng, city) if city and rng.random() < 0.95 else None,
    }


def _draw_place(rng: Random, city: str) -> dict[str, str]:
    latitude, longitude = (middle + rng.uniform(-_AROUND, _AROUND) for middle in _CITIES[city])
    return {"lat": f"{latitude:.4f}", "lng": f"{longitude:.4f}"}


def _move(user: SimulatedUser) -> SimulatedUser:
    """Give a user another e-mail address and city."""
    assert user.person is not None
    city, email = "Reykjavík", f"Moved{user.entry['id']}@Mail.example"
    address = {**user.entry["address"], "city": city, "geo": {"lat": "64.1200", "lng": "-21.8500"}}
    entry = {**user.entry, "email": email, "address": address}
    return SimulatedUser(entry, {**user.person, "email": email.lower(), "city": city})
