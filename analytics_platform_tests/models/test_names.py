"""The latest name of a product or list is the same whatever order files arrive and days are built in."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange, affected_days, all_models, build_order, day_ranges, plan
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import Contents, contents
from analytics_platform_tests.models.stored import at

FIRST = at("2024-03-01 12:00")
DAYS = [FIRST.date() + dt.timedelta(days=n) for n in range(4)]
NAMED = ("star.dim_product", "star.dim_list", "marts.product_performance", "marts.list_performance")


class Sighting(NamedTuple):
    """An event with one product in one list, both perhaps under another name than before."""

    event_at: dt.datetime
    product_id: str
    product_name: str | None
    list_id: str | None
    list_name: str | None
    event_name: str = "view_item"
    client_id: str = "ada"
    is_bot: bool = False

    @property
    def event_id(self) -> str:
        """A hash of the content, as for events without an id: it does not depend on the order of arrival."""
        return hashlib.md5(repr(tuple(self)).encode()).hexdigest()


names = st.none() | st.sampled_from(["old", "new", "newest"])
minutes = st.sampled_from([0, 0, 12 * 60 - 10, 12 * 60 + 5])
"""From noon: twice the same moment, and two moments of one visit on either side of midnight."""
moments = st.builds(lambda day, after: FIRST + dt.timedelta(days=day, minutes=after), st.integers(0, 2), minutes)
sightings = st.builds(
    Sighting,
    moments,
    st.sampled_from(["p1", "p2"]),
    names,
    st.none() | st.sampled_from(["l1", "l2"]),
    names,
    st.sampled_from(["view_item_list", "select_item", "view_item", "purchase"]),
    st.sampled_from(["ada", "bob"]),
    st.booleans(),
)


def _inputs(tables: Collection[str]) -> list[str]:
    """The models that these tables are made from, themselves included, inputs first."""
    needed, waiting = set[str](), list(tables)
    while waiting:
        name = waiting.pop()
        if name in all_models() and name not in ("cleaned.events", "cleaned.event_items", *needed):
            needed.add(name)
            waiting += (*all_models()[name].inputs, *CONTRACTS[name].table.foreign_keys.values())
    return [name for name in build_order() if name in needed]


BUILT = _inputs(NAMED)


def _load(session: DuckDBSession, file: Sequence[Sighting]) -> None:
    events = [
        {
            "event_id": seen.event_id,
            "source": "clickstream",
            "client_id": seen.client_id,
            "event_name": seen.event_name,
            "raw_event_name": seen.event_name,
            "event_at": seen.event_at,
            "event_date": seen.event_at.date(),
            "device_type": "bot" if seen.is_bot else "desktop",
            "is_bot": seen.is_bot,
            "is_refund": False,
        }
        for seen in file
    ]
    items = [
        {
            "event_id": seen.event_id,
            "item_index": 0,
            "event_date": seen.event_at.date(),
            **{name: getattr(seen, name) for name in ("product_id", "product_name", "list_id", "list_name")},
        }
        for seen in file
    ]
    for table, rows in (("cleaned.events", events), ("cleaned.event_items", items)):
        types = polars_schema(CONTRACTS[table])
        session.insert(table, pl.DataFrame(rows, schema={column: types[column] for column in rows[0]}))


def _build(session: DuckDBSession, touched: Collection[dt.date], chance: random.Random | None) -> None:
    """Build what the touched days affect: dimensions and marts for each day by itself, in a random order.

    Without `chance` all days are built at once.
    """
    values = load_settings().model_values
    for name in BUILT:
        affected = [day for day in affected_days(name, touched, values) if day in DAYS]
        ranges = list(day_ranges(DAYS if chance is None else affected))
        if chance is not None and name in NAMED:
            ranges = [DayRange(day, day) for day in chance.sample(affected, len(affected))]
        for days in ranges:
            assert not session.publish(CONTRACTS[name], plan(all_models()[name], days, values), days).breaches, name


def _empty(session: DuckDBSession) -> None:
    for name in ("cleaned.events", "cleaned.event_items", *BUILT):
        session.connection.execute(f"DELETE FROM {name}")


def incrementally(session: DuckDBSession, files: Sequence[Sequence[Sighting]], seed: int) -> Contents:
    """Load file after file, and after each build the days it touches, one by one in any order."""
    _empty(session)
    for file in files:
        _load(session, file)
        _build(session, {seen.event_at.date() for seen in file}, random.Random(seed))
    return contents(session, NAMED)


def at_once(session: DuckDBSession, files: Sequence[Sequence[Sighting]]) -> Contents:
    """Load all files, then build all days."""
    _empty(session)
    for file in files:
        _load(session, file)
    _build(session, DAYS, None)
    return contents(session, NAMED)


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(sightings, min_size=4, max_size=9, unique=True), st.integers(3, 4), st.integers(0, 2**32))
def test_names_do_not_depend_on_the_order_of_files_and_days(
    warehouse: DuckDBSession, seen: list[Sighting], size: int, seed: int
) -> None:
    shuffled = random.Random(seed).sample(seen, len(seen))
    files = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    assert incrementally(warehouse, files, seed) == at_once(warehouse, [sorted(seen, key=repr)])


def test_a_crawler_that_comes_last_names_nothing(warehouse: DuckDBSession) -> None:
    """A mart without bots is not built again for days with bots only, so a bot's name would be missing in it."""
    human = Sighting(FIRST, "p1", "old", "l1", "old")
    crawler = Sighting(FIRST + dt.timedelta(days=2), "p1", "new", "l1", "new", client_id="bot", is_bot=True)
    assert incrementally(warehouse, [[human], [crawler]], 0) == at_once(warehouse, [[human, crawler]])
    for table, column in (("star.dim_product", "product_name"), ("marts.product_performance", "product_name")):
        assert warehouse.rows(f"SELECT {column} FROM {table} WHERE product_id = 'p1'") == [("old",)]
    for table in ("star.dim_list", "marts.list_performance"):
        assert warehouse.rows(f"SELECT list_name FROM {table} WHERE list_id = 'l1'") == [("old",)]


def test_a_list_keeps_its_name_where_a_visit_goes_on_after_midnight(warehouse: DuckDBSession) -> None:
    """The purchase after midnight belongs to the list that was clicked before it; on its own day no event names it."""
    click = Sighting(FIRST + dt.timedelta(hours=11, minutes=50), "p1", None, "l1", "Top", "select_item")
    bought = Sighting(FIRST + dt.timedelta(hours=12, minutes=5), "p1", None, None, None, "purchase")
    expected = at_once(warehouse, [[click, bought]])
    for seed in range(2):
        assert incrementally(warehouse, [[click], [bought]], seed) == expected
    assert warehouse.rows("SELECT list_name, purchases FROM marts.list_performance") == [("Top", 1)]


@pytest.mark.parametrize("late_first", [False, True])
def test_a_late_file_neither_brings_an_old_name_back_nor_loses_a_newer_one(
    warehouse: DuckDBSession, late_first: bool
) -> None:
    old = Sighting(FIRST, "p1", "old", "l1", "old")
    newest = Sighting(FIRST + dt.timedelta(days=2), "p1", "newest", "l1", "newest")
    files = [[newest], [old]] if late_first else [[old], [newest]]
    tables = incrementally(warehouse, files, 1)
    assert all("newest" in row for name in NAMED for row in tables[name] if "p1" in row or "l1" in row)
