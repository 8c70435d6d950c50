"""Loads declarations (contracts, sources) and checks them: a mistake ends in one sentence that names its file."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import get_args

from pandera.errors import SchemaInitError

from analytics_platform.contracts.base import ContractType, SourceRows, file_of
from analytics_platform.contracts.ddl import EVENT, own_id, sql_type
from analytics_platform.contracts.table import Write
from analytics_platform.errors import UserError

_MISTAKES = (
    *(ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError),
    SchemaInitError,
)
"""What Python and Pandera raise for a wrong declaration."""


class DeclarationError(UserError):
    """A contract or a source is declared wrong; the message names the file and the remedy."""


def load(name: str) -> ModuleType:
    """Import a module of declarations. Raises `DeclarationError` with file and line if its code fails."""
    try:
        return import_module(name)
    except _MISTAKES as error:
        path, line = _place(error, name.partition(".")[0])
        words = traceback.format_exception_only(error)[-1].strip().rstrip(".")
        raise DeclarationError(f"{path}, line {line}: {words}.") from None


def _place(error: Exception, package: str) -> tuple[str, int]:
    """Find file and line of a mistake: in the innermost module of the package that was being imported."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    walked = traceback.walk_tb(error.__traceback__)
    ours = [(frame.f_code, line) for frame, line in walked if frame.f_globals["__name__"].startswith(package)]
    path = [code.co_filename for code, _ in ours if code.co_name == "<module>"][-1]
    return path, [line for code, line in ours if code.co_filename == path][-1]


def check(contract: ContractType) -> None:
    """Raise `DeclarationError` for the first mistake in a contract."""
    try:
        problem = next(_problems(contract), "")
    except _MISTAKES as error:
        problem = str(error)
    if problem:
        raise DeclarationError(f"{file_of(contract)}: class {contract.__name__}: {problem.rstrip('.')}.")


def _problems(contract: ContractType) -> Iterator[str]:
    """Yield what is wrong with a contract, and what to write."""
    for name, column in contract.columns.items():
        if column.metadata is None:
            yield f'column {name} is not described: write {name}: … = column("…")'
        try:
            sql_type(column.dtype.type)
        except TypeError as error:
            yield f"column {name}: {error}; write Text, Whole, Flag, Day, Ratio, Instant or Money"
    table, _ = contract.table, contract.rules  # both raise for what they cannot be made of
    if not re.fullmatch(r"[a-z]\w*\.[a-z]\w*", table.name):
        yield f'table="{table.name}" is no name of a table: write table="<layer>.<table>"'
    if table.write not in get_args(Write):
        yield f'write="{table.write}" is no way to publish: write {", ".join(get_args(Write))}'
    if table.write == "days" and not table.partition:
        yield 'a table that is published by day has a column with the day: write partition="…", or another write='
    named = {"key": table.key, "partition": filter(None, [table.partition])}
    for keyword, names in {**named, "foreign_keys": table.foreign_keys}.items():
        for name in names:
            if name not in contract.columns:
                yield f"{keyword} names the column {name}, but the columns are {', '.join(contract.columns)}"
    if issubclass(contract, SourceRows):
        if not table.source:
            yield 'it names no source: write source="<name of the folder>"'
        for name, column in contract.columns.items():
            if not (column.metadata["source"] or name in SourceRows.columns or name == table.key[0]):
                yield f'column {name} has no name in the input: write column("…", source="{name}")'
        key, own = table.key[0], own_id(contract)
        if names := contract.columns[key].metadata["source"]:
            yield (
                f'the platform makes {key}: write {key}: Text = column("…"), and source_{key}: Text = column("…", '
                f'nullable=True, source="{names[0]}", own_id=True)'
            )
        for name in EVENT if own else ():
            if name not in contract.columns:
                yield f"{own} is the own id of events, but there is no column {name}: name the column with it {name}"
