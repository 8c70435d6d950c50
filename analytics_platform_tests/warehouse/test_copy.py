"""A warehouse moves to another kind with every table and value, and what cannot be vouched for is rejected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from analytics_platform.demo.simulator import simulate
from analytics_platform.warehouse import Session, WarehouseError
from analytics_platform.warehouse.copy import copy_warehouse
from analytics_platform_tests.kit import Contents, Platform, build, contents, load_files, loaded_days, open_platform
from analytics_platform_tests.postgres import new_database

START = dt.date(2026, 3, 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    root = tmp_path_factory.mktemp("source")
    simulate(2, 30, 5, root / "simulated", START)
    platform = open_platform(root / "data", partition_start=START)
    with platform.session() as session:
        load_files(platform, session, root / "simulated" / "clickstream")
        build(session, loaded_days(session), platform.settings)
    return platform


@pytest.fixture(scope="module")
def held(source: Platform) -> Contents:
    with source.session(read_only=True) as session:
        return contents(session)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Session]:
    with new_database() as url, open_platform(tmp_path, warehouse_url=url).session() as session:
        yield session


def test_every_table_arrives_whole_there_and_back_again(
    source: Platform, held: Contents, target: Session, tmp_path: Path
) -> None:
    told: list[int] = []
    with source.session() as session:
        copied = copy_warehouse(session, target, told.append)
    assert contents(target) == held
    assert copied == {name: len(rows) for name, rows in held.items()}
    assert told == [*accumulate(copied.values())]
    with open_platform(tmp_path / "back").session() as back:
        copy_warehouse(target, back)
        assert contents(back) == held


def test_an_interrupted_copy_continues_and_a_finished_one_changes_nothing(
    source: Platform, held: Contents, target: Session
) -> None:
    def stop(rows: int) -> None:
        if target.count("star.dim_date"):
            raise KeyboardInterrupt

    with source.session() as session:
        with pytest.raises(KeyboardInterrupt):
            copy_warehouse(session, target, stop)
        copy_warehouse(session, target)
        copy_warehouse(session, target)
    assert contents(target) == held


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DELETE FROM marts.funnel_daily WHERE step_index = 1", r"marts\.funnel_daily has \d+ rows in the target"),
        ("UPDATE marts.daily_trends SET events = 7", r"marts\.daily_trends differs in the target"),
    ],
)
def test_a_table_that_has_other_rows_in_the_target_is_rejected_by_name(
    source: Platform, target: Session, change: str, sentence: str
) -> None:
    with source.session() as session:
        copy_warehouse(session, target)
        target.execute(change)
        with pytest.raises(WarehouseError, match=sentence):
            copy_warehouse(session, target)
