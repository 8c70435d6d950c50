"""The mobile shop's messages, file by file."""

from collections.abc import Iterator

from analytics_platform.demo.simulator.agenda import Agenda, drop_twins
from analytics_platform.demo.simulator.feed import Feed, Packed
from analytics_platform.demo.simulator.messages.event import AppEvent
from analytics_platform.demo.simulator.messages.staged import stage_messages
from analytics_platform.demo.simulator.messages.visits import make_app_visit
from analytics_platform.demo.simulator.messages.writer import MessageWriter
from analytics_platform.demo.simulator.population import Population
from analytics_platform.demo.simulator.scope import Scope

_VISITS_PER_VISITOR = 0.52
"""Visits to the app a day, against visitors of the web shop: about a third of the clickstream's events."""


def make_messages(scope: Scope, population: Population) -> Iterator[Packed[AppEvent]]:
    """The messages of each day, then the late ones."""
    rng = scope.random("messages")
    agenda: Agenda[AppEvent] = Agenda(rng, scope.start, scope.days)
    feed = Feed(scope.random("queue"), MessageWriter(), scope.days, scope.feed_error_share)
    staged = stage_messages(scope.start)
    agenda.plan(staged.on_time)
    feed.hurry(staged.on_time)
    feed.hold(event for event in staged.late if event.at < scope.end)
    made = agenda.make_days(
        round(scope.visitors * _VISITS_PER_VISITOR),
        lambda starts_at: make_app_visit(rng, rng.choice(population.app_users), starts_at),
    )
    for number, events in enumerate(made):
        yield feed.pack_day(number, drop_twins(events))
    yield feed.pack_late()
