"""The web shop's logs, file by file."""

from collections.abc import Iterator
from random import Random

from analytics_platform.demo.simulator.agenda import Agenda
from analytics_platform.demo.simulator.feed import Feed, Packed
from analytics_platform.demo.simulator.population import Population
from analytics_platform.demo.simulator.scope import Scope
from analytics_platform.demo.simulator.web_logs.event import LogEvent
from analytics_platform.demo.simulator.web_logs.staged import stage_logs
from analytics_platform.demo.simulator.web_logs.visits import make_logged_visit
from analytics_platform.demo.simulator.web_logs.writer import LogWriter

_VISITS_PER_VISITOR = 0.3
"""Visits of signed-in users a day, against visitors of the web shop."""

_STRANGER_SHARE = 0.008


def make_logs(scope: Scope, population: Population) -> Iterator[Packed[LogEvent]]:
    """The logs of each day, then the late ones."""
    rng = scope.random("logs")
    agenda: Agenda[LogEvent] = Agenda(rng, scope.start, scope.days)
    feed = Feed(scope.random("collection"), LogWriter(), scope.days, scope.feed_error_share)
    staged = stage_logs(scope.start, population)
    agenda.plan(staged.on_time)
    feed.hurry(staged.on_time)
    feed.hold(event for event in staged.late if event.at < scope.end)
    made = agenda.make_days(
        round(scope.visitors * _VISITS_PER_VISITOR),
        lambda starts_at: make_logged_visit(rng, draw_user(rng, population), starts_at),
    )
    for number, events in enumerate(made):
        yield feed.pack_day(number, events)
    yield feed.pack_late()


def draw_user(rng: Random, population: Population) -> int:
    """A customer, or rarely somebody nobody knows as one."""
    return rng.choice(population.strangers if rng.random() < _STRANGER_SHARE else population.web_users)
