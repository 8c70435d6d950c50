"""Broken rows of every kind, each with the one reason the platform must give.

The reasons are the platform's vocabulary: broken values are named by column, several joined by `; ` in the
order of the columns; a record that cannot be read at all has exactly one reason. A physical line with an odd
number of quotes is an unterminated record of its own, unless it opens a well-formed record over several
lines; so broken rows never stand next to each other, nor next to such a record.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.bodies import (
    Document,
    ItemsForm,
    MessageForm,
    Value,
    date,
    describe_event,
    draw_message_form,
    encode,
    fraction,
    whole,
    wrap_body,
    write_ga4,
    write_json,
    write_object,
)
from analytics_platform.demo.simulator.catalogue import SHOP
from analytics_platform.demo.simulator.events import AppEvent, Event
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

BODY_NOT_JSON = "body: not JSON"
ITEMS_UNREADABLE = "items: cannot be parsed"
USER_MISSING = "user_id: missing"
USER_NO_NAME = "user_id: not a text or whole number"
USER_NOT_WHOLE = "user_id: not a whole number"
STAMP_NO_TIME = "event_timestamp: not a time"
TIMESTAMP_NO_TIME = "timestamp: not a time"
OUT_OF_RANGE = "event_at: out of range"
NAME_MISSING = "event_name: missing"
ACTION_MISSING = "action: missing"
EMAIL_MALFORMED = "email: malformed"


def join(*reasons: str) -> str:
    """One reason of several, given in the order of the columns."""
    return "; ".join(reasons)


_BULKY = 10_000
"""Characters of event data from which on an event is no model for a broken row."""

_LATIN_1 = "?q=Gr\udcf6\udcdfe"
"""Bytes of Latin-1 that are not UTF-8, as surrogate escapes."""


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


@dataclass(frozen=True, slots=True)
class BrokenValues:
    """A row that can be read, with values that break rules; the faults stand in the order of the columns."""

    faults: tuple[Fault, ...]

    @property
    def reason(self) -> str:
        """Every broken rule."""
        return "; ".join(fault.reason for fault in self.faults)

    def write(self, rng: Random, model: Event, style: FileStyle) -> str:
        """A broken row modelled on a sound event."""
        values = list_values(model, style)
        for fault in self.faults:
            values[fault.column] = rng.choice(fault.texts)
        return ",".join(quote_values(values, style))


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A row that cannot be read; `damage` makes it from the cells of a sound row (in file order, quoted)."""

    reason: str
    damage: Callable[[Random, list[str], FileStyle], str]

    def write(self, rng: Random, model: Event, style: FileStyle) -> str:
        """A broken row modelled on a sound event."""
        return self.damage(rng, quote_values(list_values(model, style), style), style)


Breakage = BrokenValues | BrokenRecord


def _tear(rng: Random, cells: list[str], style: FileStyle) -> str:
    """The row ends in the middle of what stands before its first quoted cell."""
    quoted = next(place for place, cell in enumerate(cells) if cell.startswith('"'))
    text = ",".join(cells[:quoted])
    return text[: rng.randint(min(8, len(text)), len(text))]


def _add_cell(rng: Random, cells: list[str], style: FileStyle) -> str:
    """The row has one cell too many."""
    return ",".join([*cells, rng.choice(("surplus", "1", "x y"))])


def _lose_quote(rng: Random, cells: list[str], style: FileStyle) -> str:
    """A quoted cell is never closed."""
    place = rng.choice([place for place, cell in enumerate(cells) if cell.startswith('"')])
    return ",".join([*cells[:place], cells[place][:-1], *cells[place + 1 :]])


def _stray_quotes(rng: Random, cells: list[str], style: FileStyle) -> str:
    """Quotes stand inside a cell that is not quoted."""
    size = rng.choice(('12" x 14"', '63" x 79"'))
    return _replace_page(cells, style, f"{SHOP}/search?q={size} bed")


def _use_latin_1(rng: Random, cells: list[str], style: FileStyle) -> str:
    """The page's address is in another encoding."""
    return _replace_page(cells, style, f"{SHOP}/search{_LATIN_1}+{rng.randrange(200)}")


def _add_nul(rng: Random, cells: list[str], style: FileStyle) -> str:
    """The page's address holds a NUL byte."""
    return _replace_page(cells, style, f"{SHOP}/search?q=\0{rng.randrange(200)}")


def _replace_page(cells: list[str], style: FileStyle, url: str) -> str:
    """The row with another page address, as it stands."""
    place = style.order.index(PAGE_URL)
    return ",".join([*cells[:place], url, *cells[place + 1 :]])


BROKEN_ROWS: tuple[Breakage, ...] = (
    BrokenValues((_NO_CLIENT,)),
    BrokenRecord("record: too few columns", _tear),
    BrokenValues((_NO_TIME,)),
    BrokenRecord("record: unterminated quote", _lose_quote),
    BrokenValues((_BAD_TIME,)),
    BrokenValues((_BAD_DATA,)),
    BrokenRecord("record: too many columns", _add_cell),
    BrokenValues((_FAR_TIME,)),
    BrokenRecord("record: stray quote", _stray_quotes),
    BrokenValues((_NO_NAME,)),
    BrokenRecord("record: not UTF-8", _use_latin_1),
    BrokenValues((_NO_CLIENT, _NO_NAME)),
    BrokenRecord("record: NUL byte", _add_nul),
    BrokenValues((_NO_CLIENT, _BAD_TIME)),
    BrokenValues((_NO_TIME, _NO_NAME, _BAD_DATA)),
)
"""Every kind of broken row, dealt in turn."""


class Breaker:
    """Plans broken rows for one file after the other, dealing all kinds in turn."""

    def __init__(self, rng: Random, error_share: float) -> None:
        """`error_share` is the share of broken rows in all rows of each file, never exceeded."""
        self.rng = rng
        self._share = Fraction(str(error_share))
        self._kinds: Iterator[Breakage] = cycle(BROKEN_ROWS)

    def plan(self, rows: Sequence[Event]) -> dict[int, Breakage]:
        """Broken rows by the place in `rows` before which they stand."""
        places = find_places(rows)
        count = min(count_broken(len(rows), self._share), len(places))
        return {place: next(self._kinds) for place in sorted(self.rng.sample(places, count))}


def count_broken(sound: int, share: Fraction) -> int:
    """How many broken rows to add to so many sound ones: as many as `share` of all rows allows."""
    return int(sound * share / (1 - share))


def find_places(rows: Sequence[Event]) -> Sequence[int]:
    """The places before which a broken row may stand: its neighbours are on one line and not huge."""
    bulky = {place for place, row in enumerate(rows) if "\n" in row.data or len(row.data) > _BULKY}
    if not bulky:
        return range(len(rows))
    return [place for place in range(len(rows)) if place not in bulky and place - 1 not in bulky]


_MISSING_TEXTS = (None, "", "  ")
_NO_TIME_TEXTS = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00Z")
_NO_TIMES = (*_NO_TIME_TEXTS, True)
_FAR_TIMES = (
    "1999-12-31T23:59:59.999Z",
    "2087-06-01T12:00:00Z",
    3_706_000_000,
    3_706_000_000_000,
    3_706_000_000_000_000,
)
_NO_USERS: tuple[Value, ...] = ({"id": 7}, [7], 7.5)


class BrokenMessage(NamedTuple):
    """One kind of poison; `make` gets a tag that no other body has, and a sound event as model."""

    reason: str
    make: Callable[[Random, str, AppEvent], str]


def _describe(rng: Random, tag: str, model: AppEvent) -> tuple[dict[str, Value], MessageForm]:
    """The fields of a body that is still sound, the tag first."""
    form = draw_message_form(rng, model)
    return {"trace_id": tag, **describe_event(model, form)}, form


def _replace_fields(**choices: tuple[Value, ...]) -> Callable[[Random, str, AppEvent], str]:
    """BrokenMessage that has one of these values in each of these fields."""

    def make(rng: Random, tag: str, model: AppEvent) -> str:
        fields, form = _describe(rng, tag, model)
        fields |= {name: rng.choice(values) for name, values in choices.items()}
        return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)

    return make


def _omit_user(rng: Random, tag: str, model: AppEvent) -> str:
    """The user's field is not there at all."""
    fields, form = _describe(rng, tag, model)
    del fields["user_id"]
    return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)


def _say_no_json(rng: Random, tag: str, model: AppEvent) -> str:
    """Some other text."""
    return rng.choice(
        (
            f"heartbeat {tag} ok",
            f"<event id='{tag}'><name>{model.name}</name></event>",
            f"user_id={model.user_id}&event_name={model.name}&trace_id={tag}",
            f"{{'trace_id': '{tag}', 'event_name': '{model.name}'}}",
        )
    )


def _cut_off(rng: Random, tag: str, model: AppEvent) -> str:
    """A body that ends in the middle."""
    fields, form = _describe(rng, tag, model)
    text = write_object(fields, model.items, form.items)
    return text[: rng.randrange(len(encode(tag)) + 20, len(text))]


def _garble_items(rng: Random, tag: str, model: AppEvent) -> str:
    """Items that are no list in any form: cut off, or what JavaScript makes of an object."""
    fields, form = _describe(rng, tag, model)
    texts = ["[object Object]", "[{item_id=prod_1, item_name=Audífonos, neg", '[{"item_id": "prod_1", "item_na']
    if model.items:
        ga4, text = write_ga4(model.items), write_json(model.items)
        texts += [ga4[: rng.randrange(2, len(ga4) - 2)], text[: rng.randrange(2, len(text) - 2)]]
    fields["items"] = rng.choice(texts)
    return wrap_body(write_object(fields, (), ItemsForm.LIST), model, form.wrap)


BROKEN_MESSAGES = (
    BrokenMessage(BODY_NOT_JSON, _say_no_json),
    BrokenMessage(ITEMS_UNREADABLE, _garble_items),
    BrokenMessage(USER_MISSING, _replace_fields(user_id=_MISSING_TEXTS)),
    BrokenMessage(STAMP_NO_TIME, _replace_fields(event_timestamp=_NO_TIMES)),
    BrokenMessage(BODY_NOT_JSON, _cut_off),
    BrokenMessage(OUT_OF_RANGE, _replace_fields(event_timestamp=_FAR_TIMES)),
    BrokenMessage(USER_NO_NAME, _replace_fields(user_id=_NO_USERS)),
    BrokenMessage(NAME_MISSING, _replace_fields(event_name=_MISSING_TEXTS)),
    BrokenMessage(USER_MISSING, _omit_user),
    BrokenMessage(
        join(USER_MISSING, NAME_MISSING),
        _replace_fields(user_id=_MISSING_TEXTS, event_name=_MISSING_TEXTS),
    ),
    BrokenMessage(
        join(STAMP_NO_TIME, NAME_MISSING),
        _replace_fields(event_timestamp=_NO_TIME_TEXTS, event_name=_MISSING_TEXTS),
    ),
)
"""Every kind of poison, dealt in turn."""


_ABSENT = object()
_MISSING = (_ABSENT, None)
_NO_ACTIONS = (*_MISSING, "", "  ")
_NO_WHOLES = (fraction(1.5), fraction(7.25), "seven", {"id": whole(7)})
_NO_LOG_TIMES = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00", {"at": date(0)}, True)
_FAR_LOG_TIMES = (date(3_706_000_000_000), "2087-06-01T12:00:00Z", "1999-12-31T23:59:59", date(946_684_799_999))


class BrokenDocument(NamedTuple):
    """One kind of broken document: a value of each list stands in the field named."""

    reason: str
    choices: tuple[tuple[str, tuple[object, ...]], ...]

    def break_document(self, rng: Random, document: Document) -> Document:
        """The document with broken values."""
        values = {name: rng.choice(values) for name, values in self.choices}
        return {name: value for name, value in {**document, **values}.items() if value is not _ABSENT}


BROKEN_DOCUMENTS = (
    BrokenDocument(USER_MISSING, (("user_id", _MISSING),)),
    BrokenDocument(TIMESTAMP_NO_TIME, (("timestamp", _NO_LOG_TIMES),)),
    BrokenDocument(USER_NOT_WHOLE, (("user_id", _NO_WHOLES),)),
    BrokenDocument(OUT_OF_RANGE, (("timestamp", _FAR_LOG_TIMES),)),
    BrokenDocument(ACTION_MISSING, (("action", _NO_ACTIONS),)),
    BrokenDocument(
        join(USER_MISSING, ACTION_MISSING),
        (("user_id", _MISSING), ("action", _NO_ACTIONS)),
    ),
)
"""Every kind of broken document, dealt in turn."""
