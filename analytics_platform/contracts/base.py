"""The vocabulary contracts are written in: column types, `column`, `Table`, `Contract`.

A contract is a Pandera (Polars) model plus a `Table`, kept in the model's `Config.metadata`. What belongs
here: how a promise is written down. What does not: what follows from it (rules.py, ddl.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

import pandera.polars as pa
import polars as pl
from pandera.api.dataframe.model_config import BaseConfig

Text: TypeAlias = pl.String
Json: TypeAlias = pl.String
Whole: TypeAlias = pl.Int64
Flag: TypeAlias = pl.Boolean
Day: TypeAlias = pl.Date
Ratio: TypeAlias = pl.Float64
Instant: TypeAlias = Annotated[pl.Datetime, "us", "UTC"]
Money: TypeAlias = Annotated[pl.Decimal, 18, 4]

Write: TypeAlias = Literal["batches", "days", "upsert", "whole"]
Severity: TypeAlias = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class Days:
    """A model reads an input from `before` days ahead of its first day to `after` days behind its last.

    `before` may be the name of a setting (in days) instead of a number.
    """

    before: int | str = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class TouchedKeys:
    """A model reads, over all days, the rows of the keys in `column` that occur in the days it builds.

    So are the keys that other tables have in those days: `also` holds pairs of a table, which has `column` too, and the
    column with the day.
    """

    column: str
    also: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Everything:
    """A model reads the whole input. For inputs that do not grow with the events only."""


Reads: TypeAlias = Days | TouchedKeys | Everything


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule over several columns of one row: `sql` must not be false. Unknown (null) passes, as in SQL."""

    name: str
    sql: str
    description: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Table:
    """What a contract promises about its table as a whole.

    `write` is how it is published (DESIGN 3.9). `reads` says what part of each input a model needs; an
    input that is not listed is read for exactly the days that are built (or whole, if it has no days).
    `foreign_keys` maps a column to the dimension whose primary key it holds.
    `source` is the source whose records the table holds as they passed the gate.
    `identity` names the columns whose content identifies a row of a source without an id of its own. A source that
    `redelivers` may hand over a record again: one that is refused again is a duplicate, known by its text. The error
    rate of a batch or day with fewer than `least_judged_rows` says nothing and is not judged.
    """

    name: str
    primary_key: tuple[str, ...]
    write: Write
    partition_column: str | None = None
    reads: Mapping[str, Reads] = field(default_factory=lambda: MappingProxyType({}))
    rules: tuple[RowRule, ...] = ()
    foreign_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    identity: tuple[str, ...] = ()
    redelivers: bool = False
    least_judged_rows: int = 1
    source: str = ""
    owner: str = "team:analytics"
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def layer(self) -> str:
        """The schema, which is also the asset group: `star` of `star.fact_orders`."""
        return self.name.partition(".")[0]

    def promise(self) -> dict[str, Any]:
        """The `Config.metadata` of the contract's model."""
        return {"table": self}


def column(
    description: str,
    *,
    nullable: bool = False,
    source: tuple[str, ...] = (),
    required: bool = False,
    usual: bool = False,
    json: bool = False,
    random: bool = False,
    **checks: Any,
) -> Any:
    """One column of a contract; `checks` are Pandera's (`isin`, `ge`, `le`, `in_range`, `str_matches` …).

    `source` lists the names the column has in raw input, first the usual one. A source that lacks a
    `required` column is refused as a whole; the lack of a `usual` one is reported as drift. `json` marks text that must
    be valid JSON, `random` text that does not repeat, such as ids and hashes, and so is stored as it is.
    """
    metadata = {"source": source, "required": required, "usual": usual or required, "json": json, "random": random}
    return pa.Field(nullable=nullable, description=description, metadata=metadata, **checks)


class Contract(pa.DataFrameModel):
    """Base of all contracts; the docstring of a subclass is the table's description, first line the grain."""

    class Config(BaseConfig):
        """Columns are exactly those listed and nothing is coerced."""

        strict = True
        coerce = False


ContractType: TypeAlias = type[Contract]


def file_of(contract: ContractType) -> str:
    """The file that makes the promise, for people to open: `analytics_platform/contracts/marts.py`."""
    return f"{contract.__module__.replace('.', '/')}.py"


def table_of(contract: ContractType) -> Table:
    """The `Table` of a contract."""
    metadata = contract.__config__.metadata if contract.__config__ else None
    if not metadata or "table" not in metadata:
        raise TypeError(f"{contract.__name__} has no Table in its Config.metadata")
    table: Table = metadata["table"]
    return table


def is_gated(contract: ContractType) -> bool:
    """Whether the table holds a source's records that passed the gate."""
    return bool(table_of(contract).source)
