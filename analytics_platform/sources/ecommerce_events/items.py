"""Reads the items of an e-commerce event, in whichever of three forms they come.

The forms are a list of objects, a text that holds such a list as JSON or as Python prints it, and a text as the GA4
export writes it, which is how SQL engines print an array of structs: without quotes and without escapes. In the first
two, one object that names an item is a list of one.

Grammar of the GA4 form (blanks around the whole are skipped):

    items  = "[" [ item { ", " item } ] "]"
    item   = "{" [ field { ", " field } ] "}"
    field  = "item_params=" params | name "=" text
    params = "[]"  |  "[{" param { "}, {" param } "}]"
    param  = "key=" text ", value={" typed { ", " typed } "}"  |  "key=" text ", value=null"
    typed  = ("string_value" | "int_value" | "float_value" | "double_value" | "set_timestamp_micros") "=" text
    name   = a letter or "_", then 1 to 39 letters, digits or "_" (ASCII; 40 is GA4's own limit)
    text   = any characters, as few as possible

A text may hold commas, equals signs, brackets and braces. It ends at the first place where the grammar can continue:
`_ENDS_TEXT`, `_ENDS_KEY` and `_ENDS_TYPED`.

What is ambiguous, and how it is decided:

- `, name=` within a text starts a field: always if the name is one of `FIELDS`, else if it has the form of a
  name, for unknown fields are kept. So `Cable, color=red` is a text and a field `color`. A text does keep
  `a, b=c` (a name has two characters at least), `a,color=red` and `a, color = red` (the blanks differ),
  `a, código=1` (not ASCII), and an unknown name that the item already has (no struct has a field twice).
- A known name that the item already has, or a typed name twice in one value, is an error: such a list has lost
  a brace, or one of its texts imitates a field, and nothing says which.
- Lists and structs in a field other than `item_params` are texts, cut by the same rules.

In a decoded list, fields may have other spellings (`contracts/item_fields.py`). The same for all three forms:

- A field that is null, or a text that says so (`contracts/missing.py`), is missing and left out.
- The fields in `NUMERIC_FIELDS` are int or exact Decimal if they read as numbers, else the text as it came.
  All other fields are texts: a number or boolean in JSON becomes its JSON text. Lists and objects stay.
- `item_params` is a list of `{"key": text, "value": {name: value, ...}}` with the four `TYPED_FIELDS`, None
  where missing; any other shape that JSON gives it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from analytics_platform.contracts.item_fields import FIELDS, NUMERIC_FIELDS, PARAMS, named_item, names_a_product
from analytics_platform.contracts.missing import known
from analytics_platform.gate.exact_json import (
    JsonError,
    canonical_json,
    check_characters,
    check_depth,
    number_of,
    read_json,
    read_python,
    unnest,
)

TYPED_FIELDS = ("string_value", "int_value", "float_value", "double_value")
"""The fields of a parameter's value (GA4 BigQuery export schema, `items.item_params.value`)."""

_TYPED_NAMES = frozenset({*TYPED_FIELDS, "set_timestamp_micros"})
_TYPED_NUMBERS = _TYPED_NAMES - {"string_value"}

_NAME = "[A-Za-z_][A-Za-z0-9_]{1,39}"
_ITEM = rf"\{{(?:\}}(?=, |\Z)|{_NAME}=)"
_TYPED = rf"({'|'.join(sorted(_TYPED_NAMES))})="
_ITEM_END = rf"\}}(?:, (?={_ITEM})|\Z)"
_PARAM_END = rf"\}}(?:, (?=\{{key=)|\](?=, {_NAME}=|{_ITEM_END}))"
_STARTS_ITEM, _STARTS_TYPED, _ENDS_PARAM = re.compile(_ITEM), re.compile(_TYPED), re.compile(_PARAM_END)
_ENDS_TEXT = re.compile(rf", (?=({_NAME})=)|{_ITEM_END}")
_SIMPLE_FIELD = re.compile(rf"({_NAME})=([^,}}\[]*+), (?=({_NAME})=)")
_ENDS_KEY = re.compile(rf", value=(?=\{{|null\}})|{_ITEM_END}")
_ENDS_TYPED = re.compile(rf", (?={_TYPED})|\}}(?!\}}\], {_TYPED}){_PARAM_END}")
# JSON, and not the GA4 form: an object, or after any `{}` an item that is empty or begins with a quote, or is none.
_JSON = re.compile(r"\s*+(?:\{\s*+[\"}]|\[\s*+(?:\{\s*+\}\s*+,\s*+)*+(?:\{\s*+[\"}]|[^\s{]))")


class ItemsError(ValueError):
    """Items cannot be parsed: `reason` in words, `position` the character where parsing stopped, from 0.

    `position` is None where the items did not come as text, or the fault is not in one place.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason if position is None else f"position {position}: {reason}")
        self.reason = reason
        self.position = position


def parse_items(value: object) -> list[dict[str, object]]:
    """Parse the items in `value`, a list from `read_json`, or a text in JSON or in the GA4 form (see the module).

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
    if (printed := read_python(text)) or _JSON.match(text):
        return _clean_items(printed or read_json(text))
    check_characters(text)
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if not text.startswith("[{", start):
        raise ItemsError("expected a list of items, [{", start)
    if not text.endswith("}]", start + 2, end):
        raise ItemsError("expected the end of the list, }]", end)
    return [_clean(item, NUMERIC_FIELDS) for item in _Reader(text[: end - 1], start + 1).items()]


class _Reader:
    """Reads items in the GA4 form from a place in a text to its end, one token after the other.

    Each text is searched once for its end.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._place = start

    def items(self) -> Iterator[dict[str, object]]:
        """Read all items, fields as texts. Raises `ItemsError`."""
        while self._place < len(self._text):
            start = _STARTS_ITEM.match(self._text, self._place)
            if start is None:
                raise ItemsError("expected an item, {name=", self._place)
            if start[0] == "{}":
                self._place += 1
                yield {}
            else:
                yield self._item()
            self._place += len("}, ")

    def _item(self) -> dict[str, object]:
        """Read the item at the place, up to its closing brace."""
        item: dict[str, object] = {}
        start = self._place
        self._place += 1
        while True:
            simple = _SIMPLE_FIELD.match(self._text, self._place)
            if simple and simple[3] in FIELDS and simple[1] not in item:  # the usual case, in half the time
                item[simple[1]] = simple[2]
                start = self._place = simple.end()
                continue
            name = self._text[self._place : self._text.index("=", self._place)]
            if name in item:
                raise ItemsError(f"{name} is given twice in one item", start)
            self._place += len(name) + 1
            item[name] = None
            has_params = name == PARAMS and self._text.startswith("[", self._place)
            if has_params and not self._text.startswith("[]", self._place):
                item[name] = self._params(start)
            else:
                text = self._field(item)
                item[name] = [] if name == PARAMS and text == "[]" else text
            if self._text[self._place] == "}":
                return item
            start = self._place = self._place + len(", ")

    def _field(self, item: Collection[str]) -> str:
        """Read the text of a field, up to the next field or the closing brace of its item."""
        for end in _ENDS_TEXT.finditer(self._text, self._place):
            if end[1] is None or end[1] in FIELDS or end[1] not in item:
                break
        start, self._place = self._place, end.start()
        return self._text[start : self._place]

    def _params(self, start: int) -> list[dict[str, object]]:
        """Read the parameters of the field that starts at `start`, up to their closing bracket."""
        params: list[dict[str, object]] = []
        opening = "[{key="
        if not self._text.startswith(opening, self._place):
            raise ItemsError(f"expected {self._text[start : self._place]}{opening}", start)
        while opening:
            self._place += len(opening)
            end = _ENDS_KEY.search(self._text, self._place)
            if end is None or "=" not in end[0]:
                raise ItemsError("expected value={ after the key that starts here", start)
            key, self._place = self._text[self._place : end.start()], end.end()
            value, closing = self._value(end.start() + len(", "))
            params.append({"key": key, "value": _clean_value(value)})
            start, opening = self._place, "{key=" if closing.endswith(", ") else ""
        return params

    def _value(self, start: int) -> tuple[dict[str, object], str]:
        """Read the value of a parameter, whose clause starts at `start`, and what closes the parameter."""
        values: dict[str, object] = {}
        if self._text.startswith("null", self._place):
            end = _ENDS_PARAM.match(self._text, self._place + len("null"))
            if end is None:
                raise ItemsError("expected the end of the parameter after value=null", start)
            self._place = end.end()
            return values, end[0]
        self._place += 1
        while True:
            typed = _STARTS_TYPED.match(self._text, self._place)
            if typed is None or typed[1] in values:
                raise ItemsError("expected string_value= or another typed value, each once", start)
            end = _ENDS_TYPED.search(self._text, typed.end())
            if end is None:
                raise ItemsError("expected }} after the value that starts here", start)
            values[typed[1]] = self._text[typed.end() : end.start()]
            start = self._place = end.end()
            if end[0] != ", ":
                return values, end[0]


def _clean_items(value: object) -> list[dict[str, object]]:
    """Clean the items of a decoded list."""
    value = unnest(value)
    if isinstance(value, dict) and (not value or names_a_product(value)):
        value = [value] if value else []
    if not isinstance(value, list):
        raise ItemsError("expected a list of items")
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise ItemsError(f"expected an object as item {place}, counted from 0")
    try:
        items = [{name: _plain(name, field) for name, field in named_item(item).items()} for item in value]
        return [_clean(item, NUMERIC_FIELDS) for item in items]
    except (TypeError, ValueError) as error:  # from canonical_json
        raise ItemsError(str(error)) from error


def _plain(name: str, value: object) -> object:
    """Give a field of a decoded item as the GA4 form has it: numbers and booleans as texts, parameters in its shape."""
    if value is None or isinstance(value, str):
        return value
    if name == PARAMS and isinstance(value, list) and all(map(_is_param, value)):
        values = [{key: _plain(key, typed) for key, typed in (param.get("value") or {}).items()} for param in value]
        return [{"key": param["key"], "value": _clean_value(x)} for param, x in zip(value, values, strict=True)]
    text = canonical_json(value)
    return value if isinstance(value, (list, dict)) else text


def _is_param(param: object) -> bool:
    """Tell whether this is a parameter in the export's shape, perhaps with fields left out."""
    if not isinstance(param, dict) or not param.keys() <= {"key", "value"} or not isinstance(param.get("key"), str):
        return False
    value = param.get("value")
    return value is None or (isinstance(value, dict) and value.keys() <= _TYPED_NAMES)


def _clean(fields: Mapping[str, object], numeric: Collection[str]) -> dict[str, object]:
    """Leave out the missing fields; those in `numeric` become numbers where they read as such."""
    clean: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            if known(value) is not None:
                number = number_of(value) if name in numeric else None
                clean[name] = value if number is None else number
        elif value is not None:
            clean[name] = value
    return clean


def _clean_value(value: Mapping[str, object]) -> dict[str, object]:
    """Give the value of a parameter all its fields."""
    return {**dict.fromkeys(TYPED_FIELDS), **_clean(value, _TYPED_NUMBERS)}
