"""Broken records of every kind and source, each with the one reason the platform must give.

The reasons are the platform's vocabulary: broken values are named by column, several joined by `; ` in the
order of the columns; a record that cannot be read at all has exactly one reason. A physical line with an odd
number of quotes is an unterminated record of its own, unless it opens a well-formed record over several
lines; so broken rows never stand next to each other, nor next to such a record.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import cycle
from random import Random
from typing import Generic, NamedTuple, TypeVar

from analytics_platform.demo.simulator.bodies import (
    Document,
    ItemsForm,
    MessageForm,
    Value,
    describe_document,
    describe_event,
    double,
    draw_document_form,
    draw_message_form,
    encode,
    mongo_date,
    whole,
    wrap_body,
    write_ga4,
    write_json,
    write_object,
)
from analytics_platform.demo.simulator.catalogue import SHOP
from analytics_platform.demo.simulator.events import AppEvent, Event, LogEvent
from analytics_platform.demo.simulator.rows import (
    CLIENT_ID,
    EVENT_DATA,
    EVENT_NAME,
    PAGE_URL,
    TIMESTAMP,
    FileStyle,
    list_values,
    quote_values,
)

MakeT = TypeVar("MakeT")


class Broken(NamedTuple, Generic[MakeT]):
    """One kind of broken record; `make` writes one, modelled on a sound event."""

    reason: str
    make: MakeT


MakeRow = Callable[[Random, Event, FileStyle], str]
MakeMessage = Callable[[Random, AppEvent], str]
MakeDocument = Callable[[Random, LogEvent], str]


class Fault(NamedTuple):
    """One broken value: the rule it breaks, its column, and texts that break it."""

    reason: str
    column: int
    texts: tuple[str, ...]


_NO_CLIENT = Fault("client_id: missing", CLIENT_ID, ("", "   "))
_NO_TIME = Fault("timestamp: missing", TIMESTAMP, ("", " "))
_BAD_TIME = Fault(
    "timestamp: not a time",
    TIMESTAMP,
    ("yesterday", "2026-02-30T10:00:00Z", "2026-13-01T08:15:00Z", "not-a-date", "2026-11-01T25:61:00Z"),
)
_FAR_TIME = Fault(
    "event_at: out of range",
    TIMESTAMP,
    ("1999-12-31T23:59:59.999Z", "2087-06-01T12:00:00.000Z", "2061-01-01T00:00:00.000Z"),
)
_NO_NAME = Fault("event_name: missing", EVENT_NAME, ("", "  "))
_BAD_DATA = Fault(
    "event_data: not JSON",
    EVENT_DATA,
    ("{broken", '{"transaction_id": "50000', '{"user_email": "ab12"', '{"items": [{"item_id": "M-1001"}]'),
)


def _break_values(*faults: Fault) -> Broken[MakeRow]:
    """A row that can be read; the faults stand in the order of the columns."""

    def make(rng: Random, model: Event, style: FileStyle) -> str:
        values = list_values(model, style)
        for fault in faults:
            values[fault.column] = rng.choice(fault.texts)
        return ",".join(quote_values(values, style))

    return Broken("; ".join(fault.reason for fault in faults), make)


def _break_record(reason: str, damage: Callable[[Random, list[str], FileStyle], str]) -> Broken[MakeRow]:
    """A row that cannot be read; `damage` makes it from the cells of a sound row (in file order, quoted)."""

    def make(rng: Random, model: Event, style: FileStyle) -> str:
        return damage(rng, quote_values(list_values(model, style), style), style)

    return Broken(reason, make)


def _tear(rng: Random, cells: list[str], style: FileStyle) -> str:
    """The row ends in the middle of what stands before its first quoted cell."""
    quoted = next(place for place, cell in enumerate(cells) if cell.startswith('"'))
    text = ",".join(cells[:quoted])
    return text[: rng.randint(min(8, len(text)), len(text))]


def _lose_quote(rng: Random, cells: list[str], style: FileStyle) -> str:
    """A quoted cell is never closed."""
    place = rng.choice([place for place, cell in enumerate(cells) if cell.startswith('"')])
    return ",".join([*cells[:place], cells[place][:-1], *cells[place + 1 :]])


def _replace_page(draw_path: Callable[[Random], str]) -> Callable[[Random, list[str], FileStyle], str]:
    """The row has another page address, as it stands."""

    def damage(rng: Random, cells: list[str], style: FileStyle) -> str:
        place = style.order.index(PAGE_URL)
        return ",".join([*cells[:place], f"{SHOP}/search{draw_path(rng)}", *cells[place + 1 :]])

    return damage


_SIZES = ('12" x 14"', '63" x 79"')

BROKEN_ROWS = (
    _break_values(_NO_CLIENT),
    _break_record("record: too few columns", _tear),
    _break_values(_NO_TIME),
    _break_record("record: unterminated quote", _lose_quote),
    _break_values(_BAD_TIME),
    _break_values(_BAD_DATA),
    _break_record(
        "record: too many columns", lambda rng, cells, _: ",".join([*cells, rng.choice(("surplus", "1", "x y"))])
    ),
    _break_values(_FAR_TIME),
    _break_record("record: stray quote", _replace_page(lambda rng: "?q=" + rng.choice(_SIZES) + " bed")),
    _break_values(_NO_NAME),
    # bytes of Latin-1 that are not UTF-8, as surrogate escapes
    _break_record("record: not UTF-8", _replace_page(lambda rng: f"?q=Gr\udcf6\udcdfe+{rng.randrange(200)}")),
    _break_values(_NO_CLIENT, _NO_NAME),
    _break_record("record: NUL byte", _replace_page(lambda rng: f"?q=\0{rng.randrange(200)}")),
    _break_values(_NO_CLIENT, _BAD_TIME),
    _break_values(_NO_TIME, _NO_NAME, _BAD_DATA),
)
"""Every kind of broken row, dealt in turn."""

_BULKY = 10_000
"""Characters of event data from which on an event is no model for a broken row."""


class Breaker:
    """Plans broken rows for one file after the other, dealing all kinds in turn."""

    def __init__(self, rng: Random, error_share: float) -> None:
        """`error_share` is the share of broken rows in all rows of each file, never exceeded."""
        self.rng = rng
        self._share = Fraction(str(error_share))
        self._kinds = cycle(BROKEN_ROWS)

    def plan(self, rows: Sequence[Event]) -> dict[int, Broken[MakeRow]]:
        """Plan broken rows by the place in `rows` before which they stand: next to none that is huge or has lines."""
        bulky = {place for place, row in enumerate(rows) if "\n" in row.data or len(row.data) > _BULKY}
        places = [place for place in range(len(rows)) if place not in bulky and place - 1 not in bulky]
        count = min(count_broken(len(rows), self._share), len(places))
        return {place: next(self._kinds) for place in sorted(self.rng.sample(places, count))}


def count_broken(sound: int, share: Fraction) -> int:
    """Count the broken rows to add to sound ones, so that they are `share` of all rows."""
    return int(sound * share / (1 - share))


_MISSING_TEXTS = (None, "", "  ")
_NO_TIME_TEXTS = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00Z")
_FAR_TIMES = (
    "1999-12-31T23:59:59.999Z",
    "2087-06-01T12:00:00Z",
    3_706_000_000,
    3_706_000_000_000,
    3_706_000_000_000_000,
)
_NO_USERS: tuple[Value, ...] = ({"id": 7}, [7], 7.5)


def _break_message(reason: str, make_body: MakeMessage) -> Broken[MakeMessage]:
    return Broken(reason, lambda rng, model: encode({"body": make_body(rng, model)}))


def _describe(rng: Random, model: AppEvent) -> tuple[dict[str, Value], MessageForm]:
    """The fields of a body that is still sound, a tag first that no other body has."""
    tag, form = f"{rng.getrandbits(64):016x}", draw_message_form(rng, model)
    return {"trace_id": tag, **describe_event(model, form)}, form


def _replace_fields(**choices: tuple[Value, ...]) -> MakeMessage:
    """One of these values stands in each of these fields."""

    def make(rng: Random, model: AppEvent) -> str:
        fields, form = _describe(rng, model)
        fields |= {name: rng.choice(values) for name, values in choices.items()}
        return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)

    return make


def _omit_user(rng: Random, model: AppEvent) -> str:
    fields, form = _describe(rng, model)
    del fields["user_id"]
    return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)


def _say_no_json(rng: Random, model: AppEvent) -> str:
    tag = f"{rng.getrandbits(64):016x}"
    return rng.choice(
        (
            f"heartbeat {tag} ok",
            f"<event id='{tag}'><name>{model.name}</name></event>",
            f"user_id={model.user_id}&event_name={model.name}&trace_id={tag}",
            f"{{'trace_id': '{tag}', 'event_name': '{model.name}'}}",
        )
    )


def _cut_off(rng: Random, model: AppEvent) -> str:
    """A body that ends in the middle, after its tag."""
    fields, form = _describe(rng, model)
    text = write_object(fields, model.items, form.items)
    return text[: rng.randrange(len(encode(fields["trace_id"])) + 20, len(text))]


def _garble_items(rng: Random, model: AppEvent) -> str:
    """Items that are no list in any form: cut off, or what JavaScript makes of an object."""
    fields, form = _describe(rng, model)
    texts = ["[object Object]", "[{item_id=prod_1, item_name=Audífonos, neg", '[{"item_id": "prod_1", "item_na']
    if model.items:
        ga4, text = write_ga4(model.items), write_json(model.items)
        texts += [ga4[: rng.randrange(2, len(ga4) - 2)], text[: rng.randrange(2, len(text) - 2)]]
    fields["items"] = rng.choice(texts)
    return wrap_body(write_object(fields, (), ItemsForm.LIST), model, form.wrap)


BROKEN_MESSAGES = (
    _break_message("body: not JSON", _say_no_json),
    _break_message("items: cannot be parsed", _garble_items),
    _break_message("user_id: missing", _replace_fields(user_id=_MISSING_TEXTS)),
    _break_message("event_timestamp: not a time", _replace_fields(event_timestamp=(*_NO_TIME_TEXTS, True))),
    _break_message("body: not JSON", _cut_off),
    _break_message("event_at: out of range", _replace_fields(event_timestamp=_FAR_TIMES)),
    _break_message("user_id: not a text or whole number", _replace_fields(user_id=_NO_USERS)),
    _break_message("event_name: missing", _replace_fields(event_name=_MISSING_TEXTS)),
    _break_message("user_id: missing", _omit_user),
    _break_message(
        "user_id: missing; event_name: missing", _replace_fields(user_id=_MISSING_TEXTS, event_name=_MISSING_TEXTS)
    ),
    _break_message(
        "event_timestamp: not a time; event_name: missing",
        _replace_fields(event_timestamp=_NO_TIME_TEXTS, event_name=_MISSING_TEXTS),
    ),
)
"""Every kind of message that no delivery makes better, dealt in turn; no two bodies are equal."""

_ABSENT = object()
_NO_VALUES = (_ABSENT, None)
_NO_ACTIONS = (*_NO_VALUES, "", "  ")
_NO_WHOLES = (double(1.5), double(7.25), "seven", {"id": whole(7)})
_NO_LOG_TIMES = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00", {"at": mongo_date(0)}, True)
_FAR_LOG_TIMES = (
    mongo_date(3_706_000_000_000),
    "2087-06-01T12:00:00Z",
    "1999-12-31T23:59:59",
    mongo_date(946_684_799_999),
)


def _break_document(reason: str, **choices: tuple[object, ...]) -> Broken[MakeDocument]:
    """One of these values stands in each of these fields."""

    def make(rng: Random, model: LogEvent) -> str:
        document: Document = describe_document(model, draw_document_form(rng, model))
        document |= {name: rng.choice(values) for name, values in choices.items()}
        return encode({name: value for name, value in document.items() if value is not _ABSENT})

    return Broken(reason, make)


BROKEN_DOCUMENTS = (
    _break_document("user_id: missing", user_id=_NO_VALUES),
    _break_document("timestamp: not a time", timestamp=_NO_LOG_TIMES),
    _break_document("user_id: not a whole number", user_id=_NO_WHOLES),
    _break_document("event_at: out of range", timestamp=_FAR_LOG_TIMES),
    _break_document("action: missing", action=_NO_ACTIONS),
    _break_document("user_id: missing; action: missing", user_id=_NO_VALUES, action=_NO_ACTIONS),
)
"""Every kind of broken document, dealt in turn."""
