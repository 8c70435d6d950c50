"""Broken records of every kind and source, each with the one reason the platform must give.

The reasons are those of the platform: broken values are named by column, several joined by `; ` in the order of the
columns; a record that cannot be read at all has exactly one reason. A physical line with an odd number of quotes is
an unterminated record of its own, unless it opens a well-formed record over several lines; so broken rows are
never next to each other, nor next to such a record.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator import forms
from analytics_platform.demo.simulator.catalogue import SHOP
from analytics_platform.demo.simulator.events import USER, Event, instant_of


class Broken(NamedTuple):
    """One kind of broken record; `make` writes one, modelled on a sound event (a row also on the file's style)."""

    reason: str
    make: Callable[..., str]


class BrokenValue(NamedTuple):
    """One broken value: its column, the rule it breaks, and texts that break it."""

    column: str
    rule: str
    texts: tuple[str, ...]


_NO_CLIENT = BrokenValue("client_id", "client_id: missing", ("", "   ", "null", "undefined", "(not set)", "0"))
_NO_TIME = BrokenValue("timestamp", "timestamp: missing", ("", " "))
_BAD_TIME = BrokenValue(
    "timestamp",
    "timestamp: not a time",
    ("yesterday", "2026-02-30T10:00:00Z", "2026-13-01T08:15:00Z", "not-a-date", "2026-11-01T25:61:00Z"),
)
_FAR_TIME = BrokenValue(
    "timestamp",
    "event_at: out of range",
    ("1999-12-31T23:59:59.999Z", "2087-06-01T12:00:00.000Z", "2061-01-01T00:00:00.000Z"),
)
_NO_NAME = BrokenValue("event_name", "event_name: missing", ("", "  ", "N/A"))
_BAD_DATA = BrokenValue(
    "event_data",
    "event_data: not JSON",
    ("{broken", '{"transaction_id": "50000', '{"user_email": "ab12"', '{"items": [{"item_id": "M-1001"}]'),
)
_NO_AMOUNT = BrokenValue(
    "event_data",
    "event_data: revenue is no amount",
    ('{"transaction_id": "1", "revenue": "free"}', '{"transaction_id": "2", "revenue": "12,99,9"}'),
)
_NO_PRICE = BrokenValue(
    "event_data", "event_data: items[].price is no amount", ('{"items": [{"price": 5}, {"price": "auf Anfrage"}]}',)
)


def _break_values(*faults: BrokenValue) -> Broken:
    """Break values of a row that can be read; the faults are in the order of the columns."""

    def make(rng: Random, model: Event, style: forms.FileStyle) -> str:
        values = forms.row_values(model, style)
        for fault in faults:
            values[fault.column] = rng.choice(fault.texts)
        return ",".join(forms.quote_values(values, style))

    return Broken("; ".join(fault.rule for fault in faults), make)


def _break_record(reason: str, damage: Callable[[Random, list[str], forms.FileStyle], str]) -> Broken:
    """Break a row so that it cannot be read; `damage` gets the cells of a sound row (in file order, quoted)."""

    def make(rng: Random, model: Event, style: forms.FileStyle) -> str:
        return damage(rng, forms.quote_values(forms.row_values(model, style), style), style)

    return Broken(reason, make)


def _tear(rng: Random, cells: list[str], style: forms.FileStyle) -> str:
    """End the row in the middle, before its first quoted cell."""
    quoted = next(place for place, cell in enumerate(cells) if cell.startswith('"'))
    text = ",".join(cells[:quoted])
    return text[: rng.randint(min(8, len(text)), len(text))]


def _lose_quote(rng: Random, cells: list[str], style: forms.FileStyle) -> str:
    """Leave a quoted cell open."""
    place = rng.choice([place for place, cell in enumerate(cells) if cell.startswith('"')])
    return ",".join([*cells[:place], cells[place][:-1], *cells[place + 1 :]])


def _replace_page(draw_path: Callable[[Random], str]) -> Callable[[Random, list[str], forms.FileStyle], str]:
    """Put another page address, unquoted, into the row."""

    def damage(rng: Random, cells: list[str], style: forms.FileStyle) -> str:
        place = style.order.index("page_url")
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
    _break_values(_NO_AMOUNT),
    _break_values(_NO_PRICE),
)
"""Every kind of broken row, used in turn."""

_ABSENT = object()
_MISSING_TEXTS = (None, "", "  ", "NaN", "[object Object]")
_NO_TIME_TEXTS = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00Z")
_FAR_TIMES = (
    "1999-12-31T23:59:59.999Z",
    "2087-06-01T12:00:00Z",
    3_706_000_000,
    3_706_000_000_000,
    3_706_000_000_000_000,
)
_NO_USERS = ({"id": 7}, [7], 7.5)


def _break_message(reason: str, make_body: Callable[[Random, Event], str]) -> Broken:
    return Broken(reason, lambda rng, model: forms.encode({"body": make_body(rng, model)}))


def _describe(rng: Random, model: Event) -> tuple[dict[str, object], forms.MessageForm]:
    """Describe the fields of a body that is still sound; the first is a tag that no other body has."""
    tag, form = f"{rng.getrandbits(64):016x}", forms.draw_message_form(rng, model)
    model = model._replace(client_id=f"{USER}{model.user_id}")  # a browser's would do without a user
    return {"trace_id": tag, **forms.message_fields(model, form)}, form


def _break_fields(reason: str, **choices: tuple[object, ...]) -> Broken:
    """Put one of these values into each of these fields."""

    def make(rng: Random, model: Event) -> str:
        fields, form = _describe(rng, model)
        fields |= {name: rng.choice(values) for name, values in choices.items()}
        fields = {name: value for name, value in fields.items() if value is not _ABSENT}
        return forms.wrap_object(forms.write_object(fields, model.items, form.items), model, form.wrap)

    return _break_message(reason, make)


def _write_no_json(rng: Random, model: Event) -> str:
    tag = f"{rng.getrandbits(64):016x}"
    return rng.choice(
        (
            f"heartbeat {tag} ok",
            f"<event id='{tag}'><name>{model.name}</name></event>",
            f"user_id={model.user_id}&event_name={model.name}&trace_id={tag}",
            f"{{'trace_id': '{tag}', 'event_name': '{model.name}'}}",
        )
    )


def _cut_off(rng: Random, model: Event) -> str:
    """End a body in the middle, after its tag."""
    fields, form = _describe(rng, model)
    text = forms.write_object(fields, model.items, form.items)
    return text[: rng.randrange(len(forms.encode(fields["trace_id"])) + 20, len(text))]


def _garble_items(rng: Random, model: Event) -> str:
    """Write items that are no list in any form: cut off."""
    fields, form = _describe(rng, model)
    texts = ["[{item_id=prod_1, item_name=Audífonos, neg", '[{"item_id": "prod_1", "item_na']
    if model.items:
        ga4, text = forms.write_ga4(model.items), forms.write_json(model.items)
        texts += [ga4[: rng.randrange(2, len(ga4) - 2)], text[: rng.randrange(2, len(text) - 2)]]
    return forms.wrap_object(forms.encode({**fields, "items": rng.choice(texts)}), model, form.wrap)


BROKEN_MESSAGES = (
    _break_message("body: not JSON", _write_no_json),
    _break_message("items: cannot be parsed", _garble_items),
    _break_fields("user_id: missing", user_id=_MISSING_TEXTS),
    _break_fields("event_timestamp: not a time", event_timestamp=(*_NO_TIME_TEXTS, True)),
    _break_message("body: not JSON", _cut_off),
    _break_fields("event_at: out of range", event_timestamp=_FAR_TIMES),
    _break_fields("user_id: not a text or whole number", user_id=_NO_USERS),
    _break_fields("event_name: missing", event_name=_MISSING_TEXTS),
    _break_fields("user_id: missing", user_id=(_ABSENT,)),
    _break_fields("revenue: not an amount", revenue=("free", "auf Anfrage")),
    _break_fields("user_id: missing; event_name: missing", user_id=_MISSING_TEXTS, event_name=_MISSING_TEXTS),
    _break_fields(
        "event_timestamp: not a time; event_name: missing", event_timestamp=_NO_TIME_TEXTS, event_name=_MISSING_TEXTS
    ),
)
"""Every kind of message that is rejected, used in turn; no two bodies are equal."""

_NO_VALUES = (_ABSENT, None)
_NO_ACTIONS = (*_NO_VALUES, "", "  ", "undefined")
_NO_WHOLES = (1.5, 7.25, [7], {"id": 7})
_NO_LOG_TIMES = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00", {"at": instant_of(0)}, True)
_FAR_LOG_TIMES = (
    instant_of(3_706_000_000_000),
    "2087-06-01T12:00:00Z",
    "1999-12-31T23:59:59",
    instant_of(946_684_799_999),
)


def _break_document(reason: str, **choices: tuple[object, ...]) -> Broken:
    """Put one of these values into each of these fields of a document."""

    def make(rng: Random, model: Event) -> str:
        document = forms.draw_document(rng, model) | {name: rng.choice(values) for name, values in choices.items()}
        return forms.write_document({name: value for name, value in document.items() if value is not _ABSENT})

    return Broken(reason, make)


BROKEN_DOCUMENTS = (
    _break_document("user_id: missing", user_id=_NO_VALUES),
    _break_document("timestamp: not a time", timestamp=_NO_LOG_TIMES),
    _break_document("user_id: not a text or whole number", user_id=_NO_WHOLES),
    _break_document("event_at: out of range", timestamp=_FAR_LOG_TIMES),
    _break_document("action: missing", action=_NO_ACTIONS),
    _break_document("user_id: missing; action: missing", user_id=_NO_VALUES, action=_NO_ACTIONS),
)
"""Every kind of broken document, used in turn."""
