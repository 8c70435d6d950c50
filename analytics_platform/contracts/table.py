"""What a contract promises about its table as a whole: how it is published, and what its model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from analytics_platform.contracts.rules import Rule

Write: TypeAlias = Literal["batches", "days", "upsert", "whole"]
Narrow: TypeAlias = Literal["", "batch", "people", "products", "lists", "pages", "names"]


@dataclass(frozen=True, slots=True)
class Days:
    """A model reads an input from `before` days ahead of its first day to `after` days behind its last.

    `before` may be the name of a setting (in days) instead of a number. `ahead` more days behind are read without
    building the days before them each time: what changes there is found by its keys (`warehouse/touched.py`).
    `joined` is a column and another input, where the model uses only rows that it joins to those by the column. It need
    not be said: of a day with a million events PostgreSQL then sends those few that are part of an order. `only` is the
    condition that the model puts on the input, in SQL that both databases read alike, for inputs joined to it.
    """

    before: int | str = 0
    after: int = 0
    ahead: int = 0
    joined: tuple[str, str] | None = None
    only: str = ""


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

    `write` is how it is published, `partition` the column with its day. `reads` says what part of each input a model
    needs; an input that is not listed is read for the days that are built, by `upsert` for the keys that occur in
    them (or whole, if it has no days).
    `narrow` says on which part of its inputs a row depends, so that the fast lane builds only what few events touch: on
    rows of the same `batch`, of the same `people` (all clients and users that are linked), of the same product, list or
    page, of those that events of these people name, or of the same name of a product; and on whole inputs.
    `foreign_keys` maps a column to the dimension whose primary key it holds.
    `source` is the source whose records the table holds as they passed the gate.
    A source that
    `redelivers` may hand over a record again: one that is rejected again is a duplicate, known by its text. The error
    rate of a batch or day with fewer than `least_checked_rows` says nothing and is not checked. A run that reads
    a larger share of rejected records than `quarantine_warning` warns.
    """

    name: str
    key: tuple[str, ...]
    write: Write = "days"
    partition: str | None = None
    reads: Mapping[str, Reads] = field(default_factory=dict)
    narrow: Narrow = ""
    rules: tuple[Rule, ...] = ()
    foreign_keys: Mapping[str, str] = field(default_factory=dict)
    redelivers: bool = False
    least_checked_rows: int = 1
    quarantine_warning: float = 0.05
    source: str = ""
    owner: str = "team:analytics"
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take one column or rule for a tuple of it."""
        for name in ("key", "rules"):
            if isinstance(value := getattr(self, name), str | Rule):
                object.__setattr__(self, name, (value,))

    @property
    def layer(self) -> str:
        """The schema, which is also the asset group: `star` of `star.fact_orders`."""
        return self.name.partition(".")[0]
