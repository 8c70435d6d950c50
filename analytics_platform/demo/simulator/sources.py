"""The three sources of events, file by file."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
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
from analytics_platform.demo.simulator.delivery import Delivery, Feed, FilePlan, Packed, Parcel, write_file
from analytics_platform.demo.simulator.events import AppEvent, LogEvent, Population, Purchase, Scope
from analytics_platform.demo.simulator.staged import stage_events, stage_logs, stage_messages
from analytics_platform.demo.simulator.tally import Tally
from analytics_platform.demo.simulator.traffic import Agenda, Traffic, drop_duplicates
from analytics_platform.demo.simulator.truth import Totals
from analytics_platform.demo.simulator.visits import make_app_visit, make_logged_visit


class Clickstream:
    """One run: its streams of chance, each for one matter, and the count of what was written."""

    def __init__(self, scope: Scope, out: Path, plans: Sequence[FilePlan], report: Callable[[], None]) -> None:
        """Files below `out`; `report` is called after each."""
        self._scope = scope
        self._out = out
        self._plans = plans
        self._report = report
        self._delivery = Delivery(scope.random("delivery"), plans)
        self._breaker = Breaker(scope.random("breakage"), scope.error_share)
        self._tally = Tally()

    def write_days(self) -> None:
        """Write the file of each day."""
        scope = self._scope
        staged = stage_events(scope.start)
        for event in staged.late:
            if event.at < scope.end:
                self._delivery.hold(event)
        traffic = Traffic(scope.random("traffic"), scope.start, scope.days, scope.visitors)
        for number, events in enumerate(traffic.generate_days(staged.on_time)):
            self._write(number, self._delivery.pack_day(number, events))

    def write_late(self) -> None:
        """Write the late files."""
        for number, plan in enumerate(self._plans):
            if plan.is_late:
                self._write(number, self._delivery.pack_late(number))

    def total(self) -> Totals:
        """What is true of the files written so far."""
        return self._tally.total()

    def purchases(self) -> Iterator[tuple[str, int, Purchase]]:
        """The orders in the files written so far: client, time (milliseconds since 1970) and content."""
        return self._tally.purchases()

    def _write(self, number: int, parcel: Parcel) -> None:
        """Write one file and count it."""
        plan = self._plans[number]
        broken = self._breaker.plan(parcel.rows)
        write_file(self._out / plan.path, plan.style, parcel.rows, broken, self._breaker.rng)
        reasons = Counter(breakage.reason for breakage in broken.values())
        self._tally.add_file(parcel.events, len(parcel.rows) - len(parcel.events), reasons)
        self._report()


_OTHER_FORM_SHARE = 0.4


class MessageWriter:
    """How the queue's producers write: one message in ten is sent twice, some of those in another form."""

    copy_share = 0.1
    copy_targets = (7, 2, 1)
    kinds = len(BROKEN_MESSAGES)

    def draw_form(self, rng: Random, event: AppEvent) -> MessageForm:
        """The form in which an event is first sent."""
        return draw_message_form(rng, event)

    def draw_copy_form(self, rng: Random, form: MessageForm) -> MessageForm:
        """The same form, as redelivery has it, or another one."""
        return draw_other_form(rng, form) if rng.random() < _OTHER_FORM_SHARE else form

    def write(self, event: AppEvent, form: MessageForm) -> str:
        """A message as a line."""
        return encode({"body": write_body(event, form)})

    def spoil(self, rng: Random, kind: int, model: AppEvent) -> tuple[str, str]:
        """The reason and the line of a poison message."""
        poison = BROKEN_MESSAGES[kind]
        tag = f"{rng.getrandbits(64):016x}"
        return poison.reason, encode({"body": poison.make(rng, tag, model)})


_APP_VISITS_PER_VISITOR = 0.52
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
        round(scope.visitors * _APP_VISITS_PER_VISITOR),
        lambda starts_at: make_app_visit(rng, rng.choice(population.app_users), starts_at),
    )
    for number, events in enumerate(made):
        yield feed.pack_day(number, drop_duplicates(events))
    yield feed.pack_late()


class LogWriter:
    """How documents are exported: a few stand in the late file once more, as they were."""

    copy_share = 0.01
    copy_targets = (0, 0, 1)
    kinds = len(BROKEN_DOCUMENTS)

    def draw_form(self, rng: Random, event: LogEvent) -> DocumentForm:
        """The document's id and further fields."""
        return draw_document_form(rng, event)

    def draw_copy_form(self, rng: Random, form: DocumentForm) -> DocumentForm:
        """The same document."""
        return form

    def write(self, event: LogEvent, form: DocumentForm) -> str:
        """A document as a line."""
        return encode(describe_document(event, form))

    def spoil(self, rng: Random, kind: int, model: LogEvent) -> tuple[str, str]:
        """The reason and the line of a broken document; its id is its own."""
        document = describe_document(model, draw_document_form(rng, model))
        return BROKEN_DOCUMENTS[kind].reason, encode(BROKEN_DOCUMENTS[kind].break_document(rng, document))


_LOGGED_VISITS_PER_VISITOR = 0.3
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
        round(scope.visitors * _LOGGED_VISITS_PER_VISITOR),
        lambda starts_at: make_logged_visit(rng, draw_user(rng, population), starts_at),
    )
    for number, events in enumerate(made):
        yield feed.pack_day(number, events)
    yield feed.pack_late()


def draw_user(rng: Random, population: Population) -> int:
    """A customer, or rarely somebody nobody knows as one."""
    return rng.choice(population.strangers if rng.random() < _STRANGER_SHARE else population.web_users)
