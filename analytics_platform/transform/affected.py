"""Finds the days of each table that must be built again after events of some days changed.

The windows of the contracts, read backwards: if a table reads its input from `before` days ahead to `after`
days behind, a changed day of the input touches the table from `after` days ahead to `before` days behind.
Followed from table to table this gives every day on which an incremental build could differ from a full one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from graphlib import TopologicalSorter

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.table import Days
from analytics_platform.transform.model import all_models
from analytics_platform.transform.plan import DayRange, reads_of, window_of


@lru_cache(maxsize=1)
def build_order() -> tuple[str, ...]:
    """List every table with a contract, after the tables its SQL reads and the dimensions its keys point to."""
    models = all_models()
    needs = {
        name: {
            *(models[name].inputs if name in models else ()),
            *contract.table.reads,  # a table that Python makes has no SQL that tells
            *contract.table.foreign_keys.values(),
        }
        for name, contract in CONTRACTS.items()
    }
    return tuple(TopologicalSorter(needs).static_order())


def affected_days(table: str, touched: Collection[dt.date], settings: Mapping[str, int | str]) -> frozenset[dt.date]:
    """Find the days of `table` to build again after the events of the days in `touched` changed.

    `settings` gives values to windows that are named after a setting. Tables that Python makes, and models
    without an input that has days, follow the touched days themselves. For tables without days of their own
    (dimensions, all-time marts) these are the days whose keys are computed anew. Days after the last event
    are among them; building them is cheap and changes nothing, so a caller may cut them off.
    """
    return _all_affected(frozenset(touched), tuple(sorted(settings.items())))[table]


@lru_cache(maxsize=256)
def is_behind(table: str, sources: tuple[str, ...]) -> bool:
    """Return whether `table` is one of the `sources`, or its SQL reads one, or a table that does, and so on."""
    inputs = all_models()[table].inputs if table in all_models() else ()
    return table in sources or any(is_behind(each, sources) for each in inputs)


def refreshed_days(table: str, days: DayRange, settings: Mapping[str, int | str], start: dt.date) -> DayRange:
    """Find the days of `table` to publish when `days` are built: these, and the days before them that they complete.

    A visit may go on past midnight, so the events of a day complete the sessions of the day before. Building
    days one by one, in order, thus ends with the tables of one build. No day before `start` is published.
    """
    earliest = min(affected_days(table, [days.first], settings))
    return DayRange(max(earliest, min(start, days.first)), days.last)


@lru_cache(maxsize=64)
def _all_affected(
    touched: frozenset[dt.date], settings: tuple[tuple[str, int | str], ...]
) -> Mapping[str, frozenset[dt.date]]:
    found: dict[str, frozenset[dt.date]] = {}
    for name in build_order():
        days, model, table = set(touched), all_models().get(name), CONTRACTS[name].table
        for source in model.inputs if model else ():
            reads = reads_of(table, CONTRACTS[source].table)
            before, after = window_of(reads, dict(settings)) if isinstance(reads, Days) else (0, 0)
            shifts = [dt.timedelta(days=shift) for shift in range(-after, before + 1)]
            days.update(day + shift for day in found[source] for shift in shifts)
        found[name] = frozenset(days)
    return found


def day_ranges(days: Iterable[dt.date]) -> Iterator[DayRange]:
    """Give the fewest ranges without gaps that hold exactly these days, in order."""
    ordered = sorted(set(days))
    starts = [day for day in ordered if day - dt.timedelta(days=1) not in ordered]
    ends = [day for day in ordered if day + dt.timedelta(days=1) not in ordered]
    return map(DayRange, starts, ends)
