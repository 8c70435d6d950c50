"""The three sources of events, file by file."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from analytics_platform.demo.simulator.bodies import (
    DocumentForm,
    MessageForm,
    describe_document,
    draw_document_form,
    draw_message_form,
    draw_other_form,
    encode,
    write_body,
)
from analytics_platform.demo.simulator.breakage import BROKEN_DOCUMENTS, BROKEN_MESSAGES, Breaker
from analytics_platform.demo.simulator.delivery import Delivery, EventT, Feed, FilePlan, FormT, Packed, Writer
from analytics_platform.demo.simulator.events import AppEvent, Event, LogEvent, Population, Scope
from analytics_platform.demo.simulator.staged import Staged, stage_events, stage_logs, stage_messages
from analytics_platform.demo.simulator.traffic import Agenda, Traffic, drop_duplicates
from analytics_platform.demo.simulator.visits import make_app_visit, make_logged_visit

_APP_VISITS_PER_VISITOR = 0.52
"""Visits to the app a day, against visitors of the web shop: about a third of the clickstream's events."""

_LOGGED_VISITS_PER_VISITOR = 0.3
"""Visits of signed-in users a day, against visitors of the web shop."""

_OTHER_FORM_SHARE = 0.4
_STRANGER_SHARE = 0.008

MESSAGES: Writer[AppEvent, MessageForm] = Writer(
    copy_share=0.1,
    copy_targets=(7, 2, 1),
    draw_form=draw_message_form,
    # the same form, as redelivery has it, or another one
    draw_copy_form=lambda rng, form: draw_other_form(rng, form) if rng.random() < _OTHER_FORM_SHARE else form,
    write=lambda event, form: encode({"body": write_body(event, form)}),
    broken=BROKEN_MESSAGES,
)
"""How the queue's producers write: one message in ten is sent twice, some of those in another form."""

LOGS: Writer[LogEvent, DocumentForm] = Writer(
    copy_share=0.01,
    copy_targets=(0, 0, 1),
    draw_form=draw_document_form,
    draw_copy_form=lambda rng, form: form,
    write=lambda event, form: encode(describe_document(event, form)),
    broken=BROKEN_DOCUMENTS,
)
"""How documents are exported: a few stand in the late file once more, as they were."""


def make_clickstream(scope: Scope, plans: Sequence[FilePlan]) -> Iterator[Packed[Event]]:
    """Make the clickstream's file of each day, then the late ones; each is to be written before the next is made."""
    delivery = Delivery(scope.random("delivery"), plans, Breaker(scope.random("breakage"), scope.error_share))
    staged = stage_events(scope.start)
    for event in staged.late:
        if event.at < scope.end:
            delivery.hold(event)
    traffic = Traffic(scope.random("traffic"), scope.start, scope.days, scope.visitors)
    for number, events in enumerate(traffic.generate_days(staged.on_time)):
        yield delivery.pack_day(number, events)
    for number in range(scope.days, len(plans)):
        yield delivery.pack_late(number)


def make_messages(scope: Scope, population: Population) -> Iterator[Packed[AppEvent]]:
    """Make the messages of each day, then the late ones."""
    rng = scope.random("messages")
    agenda: Agenda[AppEvent] = Agenda(rng, scope.start, scope.days)
    staged = stage_messages(scope.start)
    agenda.plan(staged.on_time)
    days = agenda.make_days(
        round(scope.visitors * _APP_VISITS_PER_VISITOR),
        lambda starts_at: make_app_visit(rng, rng.choice(population.app_users), starts_at),
    )
    return _feed(scope, "queue", MESSAGES, staged, map(drop_duplicates, days))


def make_logs(scope: Scope, population: Population) -> Iterator[Packed[LogEvent]]:
    """Make the web shop's logs of each day, then the late ones."""
    rng = scope.random("logs")
    agenda: Agenda[LogEvent] = Agenda(rng, scope.start, scope.days)
    staged = stage_logs(scope.start, population)
    agenda.plan(staged.on_time)
    days = agenda.make_days(
        round(scope.visitors * _LOGGED_VISITS_PER_VISITOR),
        lambda starts_at: make_logged_visit(rng, draw_user(rng, population), starts_at),
    )
    return _feed(scope, "collection", LOGS, staged, days)


def _feed(
    scope: Scope, matter: str, writer: Writer[EventT, FormT], staged: Staged[EventT], days: Iterable[list[EventT]]
) -> Iterator[Packed[EventT]]:
    feed = Feed(scope.random(matter), writer, scope.days, scope.feed_error_share)
    feed.hurry(staged.on_time)
    feed.hold(event for event in staged.late if event.at < scope.end)
    for number, events in enumerate(days):
        yield feed.pack_day(number, events)
    yield feed.pack_late()


def draw_user(rng: Random, population: Population) -> int:
    """Draw a customer, or rarely somebody nobody knows as one."""
    return rng.choice(population.strangers if rng.random() < _STRANGER_SHARE else population.web_users)
