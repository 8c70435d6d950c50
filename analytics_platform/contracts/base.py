"""The vocabulary contracts are written in: column types, `column`, `Table`, `Contract`.

A contract is a Pandera (Polars) model; what it says of the table as a whole stands in the class keywords. What belongs
here: how a contract is written. What does not: what is derived from it (rules.py, ddl.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import pandera.polars as pa
import polars as pl
from pandera.api.dataframe.model_config import BaseConfig

from analytics_platform.contracts.rules import RowRule, Rule, column_rules, row_rule

Text: TypeAlias = pl.String
Whole: TypeAlias = pl.Int64
Flag: TypeAlias = pl.Boolean
Day: TypeAlias = pl.Date
Ratio: TypeAlias = pl.Float64
Instant: TypeAlias = Annotated[pl.Datetime, "us", "UTC"]
Money: TypeAlias = Annotated[pl.Decimal, 18, 4]

Write: TypeAlias = Literal["batches", "days", "upsert", "whole"]


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
class Table:
    """What a contract promises about its table as a whole.

    `write` is how it is published. `reads` says what part of each input a model needs; an
    input that is not listed is read for exactly the days that are built (or whole, if it has no days).
    `foreign_keys` maps a column to the dimension whose primary key it holds.
    `source` is the source whose records the table holds as they passed the gate.
    `identity` names the columns whose content identifies a row of a source without an id of its own. A source that
    `redelivers` may hand over a record again: one that is rejected again is a duplicate, known by its text. The error
    rate of a batch or day with fewer than `least_checked_rows` says nothing and is not checked. A run that reads
    a larger share of rejected records than `quarantine_warning` warns.
    """

    name: str
    key: tuple[str, ...]
    write: Write
    partition: str | None = None
    reads: Mapping[str, Reads] = field(default_factory=lambda: MappingProxyType({}))
    rules: tuple[RowRule, ...] = ()
    foreign_keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    identity: tuple[str, ...] = ()
    redelivers: bool = False
    least_checked_rows: int = 1
    quarantine_warning: float = 0.05
    source: str = ""
    owner: str = "team:analytics"
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def layer(self) -> str:
        """The schema, which is also the asset group: `star` of `star.fact_orders`."""
        return self.name.partition(".")[0]


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
    `required` column is rejected as a whole; the lack of a `usual` one is reported as drift. `json` marks text that
    must be valid JSON, `random` text that does not repeat, such as ids and hashes, and so is stored as it is.
    """
    metadata = {"source": source, "required": required, "usual": usual or required, "json": json, "random": random}
    return pa.Field(nullable=nullable, description=description, metadata=metadata, **checks)


_Value = TypeVar("_Value")


class _Derived(Generic[_Value]):
    """A class attribute that is computed once per contract, at its first use."""

    def __init__(self, derive: Callable[[Any], _Value]) -> None:
        self._derive = derive
        self._found: dict[type[object], _Value] = {}

    def __get__(self, instance: object, owner: type[object]) -> _Value:
        if owner not in self._found:
            self._found[owner] = self._derive(owner)
        return self._found[owner]


class _Promises:
    """What is known of a contract. Apart from `Contract`, since Pandera takes a model's attributes for columns."""

    @_Derived
    def table(cls: type[Contract]) -> Table:
        """What the contract says of the table as a whole. Raises `TypeError` for a contract without a table."""
        found = getattr(cls, "_table", None)  # a contract derived from another has that one's
        if not isinstance(found, Table):
            raise TypeError(f"{cls.__name__} names no table: class {cls.__name__}(Contract, table=…, key=…, write=…)")
        return found

    @_Derived
    def columns(cls: type[Contract]) -> Mapping[str, pa.Column]:
        """Column name → Pandera column, in order: those of the class itself, then those of its base."""
        found = cls.to_schema().columns
        own = [name for name in cls.__annotations__ if name in found]
        return MappingProxyType({name: found[name] for name in dict.fromkeys([*own, *found])})

    @_Derived
    def rules(cls: type[Contract]) -> tuple[Rule, ...]:
        """All rules for single rows: by column in column order, then the rules over several columns."""
        return (*column_rules(cls.columns), *map(row_rule, cls.table.rules))


class Contract(_Promises, pa.DataFrameModel):
    """Base of all contracts; the docstring of a subclass is the table's description, first line the grain.

    The class keywords are the fields of `Table`; `table` is its name: `class Sessions(Contract, table="star.sessions",
    key=("session_id",), write="days", partition="date")`.
    """

    _table: ClassVar[Table]

    class Config(BaseConfig):
        """Columns are exactly those listed and nothing is coerced."""

        strict = True
        coerce = False

    def __init_subclass__(cls, *, table: str = "", **promises: Any) -> None:
        """Keep what the keywords say of the table. Raises `TypeError` for a keyword that `Table` does not have."""
        super().__init_subclass__()  # type: ignore[no-untyped-call]
        if table:
            cls._table = Table(table, **promises)


class SourceRows(Contract):
    """Base of the contracts of sources: the columns that the platform adds to every record that passed the gate."""

    event_date: Day = column("Day (UTC) of event_at; without that column, of arrival.")
    extra: Text = column(
        "What the record has beside the columns of the contract, as one JSON object.", nullable=True, json=True
    )
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the record came in (ops.pipeline_logs).")
    position: Whole = column(
        "Place of the record in its batch, from 1; of a CSV file the line, on which the header is line 1.", ge=1
    )


class SourceEvents(Contract):
    """The shape in which the `events.sql` of a source gives its events. What may be null may be left out."""

    event_id: Text = column("Identity of the event within its source.")
    client_id: Text = column("The browser or device; user:<user_id> for a source that only knows users.")
    user_id: Text = column("The signed-in user.", nullable=True)
    event_name: Text = column("GA4's name of the event; a name that GA4 does not know as it came.")
    raw_event_name: Text = column("The name the source gave, where it is another.", nullable=True)
    event_at: Instant = column("When the event happened (UTC).")
    event_date: Day = column("Day of event_at (UTC).")
    received_at: Instant = column("When the collector got it, else when its batch arrived.")
    platform: Text = column("WEB, IOS or ANDROID.", nullable=True)
    page_url: Text = column("Address of the page.", nullable=True)
    referrer: Text = column("Address the visitor came from.", nullable=True)
    user_agent: Text = column("The browser's own description.", nullable=True)
    device_type: Text = column("Kind of device, where there is no user agent.", nullable=True)
    os: Text = column("Operating system, where there is no user agent.", nullable=True)
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True)
    revenue: Money = column("Value of the order, on purchases.", nullable=True)
    list_id: Text = column("The product list the event is about.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    items_json: Text = column("The items as a JSON array of objects: item_id, item_name, price …", nullable=True)
    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")


ContractType: TypeAlias = type[Contract]


def file_of(contract: ContractType) -> str:
    """The file that makes the promise, for people to open: `analytics_platform/contracts/marts.py`."""
    return f"{contract.__module__.replace('.', '/')}.py"


def is_gated(contract: ContractType) -> bool:
    """Whether the table holds a source's records that passed the gate."""
    return bool(contract.table.source)
