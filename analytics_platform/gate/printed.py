"""Values as Python prints them: dicts and lists, and the types of libraries that stand in them. Nothing is run."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

Read: TypeAlias = Callable[[str], int | Decimal | None]
"""Reads a number's text; None if it is none, or too long."""

_NAMES = {"nan": None, "NaN": None, "NaT": None, "NA": None, "inf": "inf", "True_": True, "False_": False}
"""Names of values. An infinite amount stays a text, which is no amount: it is not missing."""

_NUMBERS = ("Decimal", "Decimal128", "Int64", "float64", "float32", "int64", "int32", "float_", "int_")
_TEXTS = ("UUID", "ObjectId", "Timestamp", "str_")
_MAPPINGS = ("OrderedDict", "dict", "Row")
_LISTS = ("list", "tuple", "set", "frozenset", "array")


def read_printed(text: str, read_number: Read) -> object:
    """Read a value that Python printed, as JSON has it: a tuple is a list, a time and a UUID a text, NaN nothing.

    Raises `ValueError`, `TypeError` or `SyntaxError` for any other text, `RecursionError` or `MemoryError` for one that
    is nested too deep.
    """
    return _value(ast.parse(text.strip(), mode="eval").body, read_number)


def _value(node: ast.expr, read: Read) -> object:
    match node:
        case ast.Constant(value=None | str() | bool() | int() as value):
            return value
        case ast.Constant(value=float() as value):
            return _number(repr(value), read)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _negative(_value(operand, read))
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part, read) for part in parts]
        case ast.Dict(keys=keys, values=values):
            return {_key(key, read): _value(part, read) for key, part in zip(keys, values, strict=True)}
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=named):
            return _made(name, [_value(part, read) for part in args], named, read)
    raise ValueError("not printed by Python")


def _negative(value: object) -> object:
    if value is None or value == "inf":
        return None if value is None else "-inf"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return -value
    raise ValueError("not a number")


def _key(node: ast.expr | None, read: Read) -> str:
    key = None if node is None else _value(node, read)
    if isinstance(key, str) or type(key) is int:
        return str(key)
    raise ValueError("not a key of JSON")


def _made(name: str, args: list[object], named: list[ast.keyword], read: Read) -> object:
    """Give the value of `name(args)`: of types that stand for one value of JSON."""
    match args:
        case _ if name in ("datetime", "date"):
            return _time(name, args, named)
        case [str() | int() | Decimal() as value] if name in _NUMBERS and not named:
            return None if str(value).lower() == "nan" else _number(str(value), read)
        case [str() as value, *_] if name in _TEXTS:
            return value
        case [] if name in _MAPPINGS:
            return {word.arg: _value(word.value, read) for word in named if word.arg}
        case [dict() as value] if name in _MAPPINGS:
            return value
        case [list() as pairs] if name in _MAPPINGS:
            return {str(key): value for key, value in pairs}
        case [list() as values, *_] if name in _LISTS:
            return values
    raise ValueError(f"{name}(…) is no value of JSON")


def _number(text: str, read: Read) -> int | Decimal:
    number = read(text)
    if number is None:
        raise ValueError("not a number, or too long")
    return number


def _time(name: str, args: list[object], named: list[ast.keyword]) -> str:
    """Write a date or time in ISO 8601; one of another zone than UTC cannot be told."""
    parts = [part for part in args if type(part) is int]
    zones = [word for word in named if word.arg == "tzinfo"]
    is_utc = all(ast.unparse(word.value).lower().rpartition(".")[2] in ("utc", "utc()", "tzutc()") for word in zones)
    if len(parts) < len(args) or len(zones) < len(named) or not is_utc:
        raise ValueError("not a time in UTC")
    if name == "date":
        return dt.date(*parts).isoformat()
    return dt.datetime(*parts).isoformat() + ("+00:00" if zones else "")  # type: ignore[arg-type]
