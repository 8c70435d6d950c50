"""Visits of people, from the landing page to the last click."""

from random import Random

from analytics_platform.demo.simulator.app_visits import use_app
from analytics_platform.demo.simulator.event import Event
from analytics_platform.demo.simulator.visitor import Visit, Visitor
from analytics_platform.demo.simulator.web_visits import browse


def make_visit(rng: Random, visitor: Visitor, starts_at: int) -> list[Event]:
    """The events of one visit, beginning at `starts_at` (milliseconds since 1970)."""
    visit = Visit(rng, visitor, starts_at)
    if visitor.uses_app:
        use_app(rng, visit)
    else:
        browse(rng, visitor, visit)
    return visit.events
