"""Visits of signed-in users to the web shop."""

from random import Random

from analytics_platform.demo.simulator.catalogue import PRODUCTS
from analytics_platform.demo.simulator.visitor import draw_pause
from analytics_platform.demo.simulator.web_logs.event import LogEvent

DEVICES = ("Mobile", "Desktop", "Tablet")
_DEVICE_WEIGHTS = (6, 4, 1)
_SESSION_IDS = range(10_000, 1_000_000_000)


class LoggedVisit:
    """One visit being made: it knows the clock and the events so far."""

    def __init__(self, rng: Random, user_id: int, starts_at: int) -> None:
        """Begin at `starts_at` (milliseconds since 1970)."""
        self.events: list[LogEvent] = []
        self.rng = rng
        self.user_id = user_id
        self._at = starts_at
        self._device = rng.choices(DEVICES, _DEVICE_WEIGHTS)[0]
        self._session_id = rng.choice(_SESSION_IDS)

    def record(self, action: str, item_name: str | None) -> None:
        """Something happens, and a pause follows."""
        self.events.append(LogEvent(self.user_id, self._at, action, item_name, self._device, self._session_id))
        self._at += draw_pause(self.rng)


def make_logged_visit(rng: Random, user_id: int, starts_at: int) -> list[LogEvent]:
    """The events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = LoggedVisit(rng, user_id, starts_at)
    _look_at_product(visit)
    while rng.random() < 0.7:
        _look_at_product(visit)
    return visit.events


def _look_at_product(visit: LoggedVisit) -> None:
    """View a product, perhaps read its reviews, perhaps put it into the cart and out again."""
    rng = visit.rng
    name = _draw_product(rng, visit.user_id)
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


def _draw_product(rng: Random, user_id: int) -> str:
    """The user's favourite, or any product."""
    place = user_id * 7 if rng.random() < 0.25 else rng.randrange(len(PRODUCTS))
    return PRODUCTS[place % len(PRODUCTS)].name
