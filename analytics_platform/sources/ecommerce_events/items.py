"""Reads the items of an e-commerce event, in whichever of three forms they come.

The forms are a list of objects, a text that holds such a list as JSON, and a text as the GA4 export writes it,
which is how SQL engines print an array of structs: without quotes and without escapes.

Grammar of the GA4 form (blanks around the whole are skipped):

    items  = "[" [ item { ", " item } ] "]"
    item   = "{" [ field { ", " field } ] "}"
    field  = "item_params=" params | name "=" text
    params = "[]"  |  "[{" param { "}, {" param } "}]"
    param  = "key=" text ", value={" typed { ", " typed } "}"  |  "key=" text ", value=null"
    typed  = ("string_value" | "int_value" | "float_value" | "double_value" | "set_timestamp_micros") "=" text
    name   = a letter or "_", then 1 to 39 letters, digits or "_" (ASCII; 40 is GA4's own limit)
    text   = any characters, as few as possible

A text may hold commas, equals signs, brackets and braces. It ends at the first place where the grammar goes on:

- the text of a field at `, name=`; at `}, {name=` and `}, {}`, where its item ends; at the final `}]`;
- a key at `, value=`; the text of a typed value at `, ` and another of the typed names and `=`; at `}}, {key=`;
  at `}}], name=`; at `}}]}` where its item ends.

What is ambiguous, and how it is decided:

- `, name=` within a text starts a field: always if the name is one of `FIELDS`, else if it has the form of a
  name, for unknown fields are kept. So `Cable, color=red` is a text and a field `color`. A text does keep
  `a, b=c` (a name has two characters at least), `a,color=red` and `a, color = red` (the blanks differ),
  `a, código=1` (not ASCII), and an unknown name that the item already has (no struct has a field twice).
- A known name that the item already has, or a typed name twice in one value, is an error: such a list has lost
  a brace, or one of its texts imitates a field, and nobody can tell which.
- Lists and structs in a field other than `item_params` are texts, cut by the same rules.

The same for all three forms:

- A field that is null, `null` or `(not set)` is missing and left out. An empty text is kept.
- The fields in `NUMERIC_FIELDS` are int or exact Decimal if they read as numbers, else the text as it came.
  All other fields are texts: a number or boolean in JSON becomes its JSON text. Lists and objects stay.
- `item_params` is a list of `{"key": text, "value": {name: value, ...}}` with the four `TYPED_FIELDS`, None
  where missing; any other shape that JSON gives it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from analytics_platform.gate.exact_json import (
    JsonError,
    canonical_json,
    check_characters,
    check_depth,
    number_of,
    read_json,
)

PARAMS = "item_params"

NUMERIC_FIELDS = frozenset(
    {
        "price_in_usd",
        "price",
        "quantity",
        "item_revenue_in_usd",
        "item_revenue",
        "item_refund_in_usd",
        "item_refund",
        "item_list_index",
        "index",
        "discount",
        "item_price",
    }
)
"""Fields that are numbers: of the GA4 export, of GA4's tags (index, discount) and of the web tracker (item_price)."""

FIELDS = NUMERIC_FIELDS | {
    "item_id",
    "item_name",
    "item_brand",
    "item_variant",
    "item_category",
    "item_category2",
    "item_category3",
    "item_category4",
    "item_category5",
    "coupon",
    "affiliation",
    "location_id",
    "item_list_id",
    "item_list_name",
    "promotion_id",
    "promotion_name",
    "creative_name",
    "creative_slot",
    "currency",
    PARAMS,
}
"""The known fields of an item (GA4 BigQuery export schema, record `items`, and the item parameters of GA4's tags)."""

TYPED_FIELDS = ("string_value", "int_value", "float_value", "double_value")
"""The fields of a parameter's value (GA4 BigQuery export schema, `items.item_params.value`)."""

_TYPED_NAMES = frozenset({*TYPED_FIELDS, "set_timestamp_micros"})
_TYPED_NUMBERS = _TYPED_NAMES - {"string_value"}
_MISSING = frozenset({"null", "(not set)"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,39}")
# JSON, and not the GA4 form: after any `{}`, an item that is empty or begins with a quote, or is none.
_JSON = re.compile(r"\s*+\[\s*+(?:\{\s*+\}\s*+,\s*+)*+(?:\{\s*+[\"}]|[^\s{])")


class ItemsError(ValueError):
    """Items cannot be parsed: `reason` in words, `position` the character where parsing stopped, from 0.

    `position` is None where the items did not come as text, or the fault is not in one place.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason if position is None else f"position {position}: {reason}")
        self.reason = reason
        self.position = position


def parse_items(value: object) -> list[dict[str, object]]:
    """The items in `value`, a list from `read_json`, or a text in JSON or in the GA4 form (see the module).

    All three forms of the same items give equal lists. Raises `ItemsError` for any other value. Takes time and
    memory proportional to the size of `value`.
    """
    try:
        if isinstance(value, str):
            return _parse_text(value)
        check_depth(value)
        return _clean_items(value)
    except JsonError as error:
        raise ItemsError(f"{error.fault}: {error.detail}", error.position) from error


def _parse_text(text: str) -> list[dict[str, object]]:
    if _JSON.match(text):
        return _clean_items(read_json(text))
    check_characters(text)
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if not text.startswith("[{", start):
        raise ItemsError("expected a list of items, [{", start)
    if not text.endswith("}]", start + 2, end):
        raise ItemsError("expected the end of the list, }]", end)
    return [_clean(item, NUMERIC_FIELDS) for item in _Reader(text[start + 1 : end - 1], start + 1).items()]


class _Reader:
    """Reads what stands between the outer brackets in the GA4 form.

    Fields, items, parameters and typed values can only start after `, `, so the tokens are the clauses between
    those, each looked at a fixed number of times. How the next clause starts tells whether a text ends before.
    """

    def __init__(self, inner: str, start: int) -> None:
        """`start` is the position of `inner` in the whole text."""
        self._clauses = inner.split(", ")
        self._count = len(self._clauses)
        self._clauses.append("")  # starts nothing, so that there always is a next clause
        self._start = start

    def items(self) -> list[dict[str, object]]:
        """All items, fields as texts. Raises `ItemsError`."""
        items: list[dict[str, object]] = []
        place = 0
        while place < self._count:
            item, place = self._item(place)
            items.append(item)
        return items

    def _item(self, place: int) -> tuple[dict[str, object], int]:
        """The item that starts with the clause at `place`, and the place of the next item."""
        clauses = self._clauses
        if clauses[place] == "{}":
            return {}, place + 1
        if not self._starts_item(place):
            raise self._error("expected an item, {name=", place)
        item: dict[str, object] = {}
        name, _, value = clauses[place][1:].partition("=")
        while True:
            if name in item:
                raise self._error(f"{name} is given twice in one item", place)
            item[name] = value
            start, place = place, place + 1
            following, equals, rest = clauses[place].partition("=")
            if not equals or following not in FIELDS or name == PARAMS:
                item[name], place = self._field(name, value, start, item)
                if self._ends_item(place):
                    return item, place
                following, _, rest = clauses[place].partition("=")
            name, value = following, rest

    def _field(self, name: str, value: str, start: int, item: Collection[str]) -> tuple[object, int]:
        """The value of the field that starts at `start` with `value`, and the place of the clause after it."""
        if name == PARAMS and value[:1] == "[" and value[:2] != "[]":
            return self._params(start)
        place = self._text_end(start + 1, item)
        text = self._joined(value, start, place)
        if self._ends_item(place):
            text = text[:-1]
        return ([] if name == PARAMS and text == "[]" else text), place

    def _ends_item(self, place: int) -> bool:
        """Whether the item ends before the clause at `place`, with which a field or an item starts."""
        return place == self._count or self._clauses[place][0] == "{"

    def _text_end(self, place: int, item: Collection[str]) -> int:
        """The place, from `place` on, of the first clause with which a field or an item starts."""
        clauses = self._clauses
        for later in range(place, self._count):
            name, equals, _ = clauses[later].partition("=")
            if equals and (name in FIELDS or (name not in item and _NAME.fullmatch(name))):
                return later
            if name[:1] == "{" and clauses[later - 1][-1:] == "}" and self._starts_item(later):
                return later
        return self._count

    def _joined(self, text: str, start: int, end: int) -> str:
        """`text` from the clause at `start`, with the clauses up to `end` that belong to it."""
        return ", ".join([text, *self._clauses[start + 1 : end]]) if end - start > 1 else text

    def _starts_item(self, place: int) -> bool:
        clause = self._clauses[place]
        return clause == "{}" or (clause[:1] == "{" and _starts_field(clause[1:]))

    def _params(self, place: int) -> tuple[list[dict[str, object]], int]:
        """The parameters that start in the clause at `place`, and the place of the clause after them."""
        params: list[dict[str, object]] = []
        opening = f"{PARAMS}=[{{key="
        if self._clauses[place][0] == "{":
            opening = "{" + opening
        while True:
            key, place = self._key(place, opening)
            value, place, closing = self._value(place)
            params.append({"key": key, "value": _clean_value(value)})
            if "]" in closing:
                return params, place
            opening = "{key="

    def _key(self, start: int, opening: str) -> tuple[str, int]:
        """The key of the parameter that starts at `start`, and the place of its value."""
        clauses = self._clauses
        if not clauses[start].startswith(opening):
            raise self._error(f"expected {opening}", start)
        for place in range(start + 1, self._count):
            clause = clauses[place]
            if clause.startswith(("value={", "value=null}")):
                return self._joined(clauses[start][len(opening) :], start, place), place
            if clauses[place - 1][-1:] == "}" and self._starts_item(place):
                break
        raise self._error("expected value={ after the key that starts here", start)

    def _value(self, place: int) -> tuple[dict[str, object], int, str]:
        """The value of a parameter, the place of the clause after it, and what closes the parameter."""
        clauses = self._clauses
        values: dict[str, object] = {}
        if clauses[place].startswith("value=null}"):
            return values, place + 1, self._end_of_null(place)
        name, equals, text = clauses[place].removeprefix("value={").partition("=")
        while True:
            if not equals or name not in _TYPED_NAMES or name in values:
                raise self._error("expected string_value= or another typed value, each once", place)
            values[name] = text
            start, place = place, place + 1
            following, equals, rest = clauses[place].partition("=")
            if not equals or following not in _TYPED_NAMES:
                place, closing = self._typed_end(start)
                text = self._joined(text, start, place)
                values[name] = text[: len(text) - len(closing)]
                if closing:
                    return values, place, closing
                following, equals, rest = clauses[place].partition("=")
            name, text = following, rest

    def _end_of_null(self, place: int) -> str:
        """What closes the parameter without value whose last clause is at `place`."""
        closing = self._closing(place + 1, "}")
        if self._clauses[place] != f"value=null{closing}":
            raise self._error("expected the end of the parameter after value=null", place)
        return closing

    def _typed_end(self, start: int) -> tuple[int, str]:
        """The place after the typed value at `start`, and what closes the parameter there, if anything."""
        for place in range(start + 1, self._count + 1):
            name, equals, _ = self._clauses[place].partition("=")
            if equals and name in _TYPED_NAMES:
                return place, ""
            closing = self._closing(place, "}}")
            if closing:
                return place, closing
        raise self._error("expected }} after the value that starts here", start)

    def _closing(self, place: int, braces: str) -> str:
        """What closes a parameter before the clause at `place`, at least `braces`; empty if nothing does."""
        before, clause = self._clauses[place - 1], self._clauses[place]
        if clause.startswith("{key=") and before.endswith(braces):
            return braces
        if place == self._count or self._starts_item(place):
            braces += "]}"
        elif _starts_field(clause):
            braces += "]"
        else:
            return ""
        return braces if before.endswith(braces) else ""

    def _error(self, reason: str, place: int) -> ItemsError:
        """The error that stops at the clause at `place`."""
        return ItemsError(reason, self._start + sum(map(len, self._clauses[:place])) + 2 * place)


def _starts_field(clause: str) -> bool:
    name, equals, _ = clause.partition("=")
    return bool(equals) and _NAME.fullmatch(name) is not None


def _clean_items(value: object) -> list[dict[str, object]]:
    """The items in a decoded list."""
    if not isinstance(value, list):
        raise ItemsError("expected a list of items")
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise ItemsError(f"expected an object as item {place}, counted from 0")
    try:
        return [_clean({name: _plain(name, field) for name, field in item.items()}, NUMERIC_FIELDS) for item in value]
    except (TypeError, ValueError) as error:  # from canonical_json
        raise ItemsError(str(error)) from error


def _plain(name: str, value: object) -> object:
    """A field of a decoded item as the GA4 form has it: numbers and booleans as texts, parameters in its shape."""
    if value is None or isinstance(value, str):
        return value
    if name == PARAMS and isinstance(value, list) and all(map(_is_param, value)):
        return [{"key": param["key"], "value": _clean_value(_plain_value(param.get("value")))} for param in value]
    text = canonical_json(value)
    return value if isinstance(value, (list, dict)) else text


def _plain_value(value: Mapping[str, object] | None) -> Mapping[str, object]:
    return {name: _plain(name, typed) for name, typed in (value or {}).items()}


def _is_param(param: object) -> bool:
    """Whether this is a parameter in the export's shape, perhaps with fields left out."""
    if not isinstance(param, dict) or not param.keys() <= {"key", "value"} or not isinstance(param.get("key"), str):
        return False
    value = param.get("value")
    return value is None or (isinstance(value, dict) and value.keys() <= _TYPED_NAMES)


def _clean(fields: Mapping[str, object], numeric: Collection[str]) -> dict[str, object]:
    """The fields that are not missing, numbers instead of texts where they read as such and the field is `numeric`."""
    clean: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            if value not in _MISSING:
                number = number_of(value) if name in numeric else None
                clean[name] = value if number is None else number
        elif value is not None:
            clean[name] = value
    return clean


def _clean_value(value: Mapping[str, object]) -> dict[str, object]:
    """The value of a parameter with all its fields."""
    return {**dict.fromkeys(TYPED_FIELDS), **_clean(value, _TYPED_NUMBERS)}
