"""What is here is not fetched again and what is stored is not stored again, and neither is ever out of date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl
import psycopg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.transform import DayRange, Query
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.postgres.staging import StagingSession
from analytics_platform_tests.kit import Platform

FUNNEL = CONTRACTS["marts.funnel_daily"]
NAME = FUNNEL.table.name
FIRST = dt.date(2024, 3, 1)
STEPS = ("view", "cart", "checkout")
ROWS = f"SELECT date, sessions FROM {NAME} ORDER BY ALL"


def on(*numbers: int) -> DayRange:
    days = [FIRST + dt.timedelta(days=number) for number in numbers]
    return DayRange(days[0], days[-1])


def steps(days: DayRange, *counts: int) -> pl.DataFrame:
    """A funnel of these days, a count per step, the same on each."""
    dates = [days.first + dt.timedelta(days=number) for number in range((days.last - days.first).days + 1)]
    rows = [(day, step, STEPS[step - 1], count, *[None] * 5) for day in dates for step, count in enumerate(counts, 1)]
    return pl.DataFrame(rows, schema=polars_schema(FUNNEL), orient="row")


def within(days: DayRange, sql: str = ROWS) -> Query:
    return Query(sql, {}, {NAME: days.holds("date")})


@pytest.fixture
def session(platform: Platform) -> Iterator[Session]:
    with platform.session() as session:
        session.publish(FUNNEL, steps(on(0, 4), 5, 3), on(0, 4))
        yield session


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each window that is fetched, the rows that are here then."""
    found, fetch = list[int](), StagingSession.fetch

    def counted(self: StagingSession, table: str, *parts: object, **more: bool) -> bool:
        came = fetch(self, table, *parts, **more)  # type: ignore[arg-type]
        found.append(self.count(table))
        return came

    monkeypatch.setattr(StagingSession, "fetch", counted)
    return found


def test_of_a_wider_window_only_the_rows_come_that_are_not_here(session: Session, fetched: list[int]) -> None:
    with session.transaction(publishing=[(NAME, on(9))]):
        assert session.frame(within(on(1, 2))).height == 4
        assert session.frame(within(on(0, 1))).height == 6  # more rows than it asked for, none of them twice
        assert session.frame(within(on(0, 4))).rows() == session.rows(ROWS)
        assert session.frame(within(on(1, 3))).height == 10
        assert session.frame(within(on(0, 4))).height == 10
    assert fetched == [4, 6, 10, 10]  # the fourth brought nothing; that of the same days is not asked for


def test_columns_that_are_not_here_come_with_those_that_are(session: Session, fetched: list[int]) -> None:
    with session.transaction(publishing=[(NAME, on(9))]):
        for columns in ("date", "date, step", "date, sessions", "date, step", "date"):
            rows = session.frame(within(on(0, 1), f"SELECT {columns} FROM {NAME}"))
            assert (rows.width, rows.height) == (columns.count(",") + 1, 4)
    assert len(fetched) == 3


def test_what_was_published_is_part_of_a_wider_window(session: Session, fetched: list[int]) -> None:
    with session.transaction(publishing=[(NAME, on(1))]):
        session.publish(FUNNEL, steps(on(1), 8), on(1))
        assert session.frame(within(on(0, 2))).rows() == session.rows(ROWS)[:5]
        assert (FIRST + dt.timedelta(days=1), 8) in session.frame(within(on(0, 2))).rows()


def test_a_window_that_looks_into_another_table_is_fetched_again_once_that_has_other_rows(session: Session) -> None:
    lists = CONTRACTS["star.dim_list"]
    session.ensure(lists)
    query = Query(ROWS, {}, {NAME: 'step IN (SELECT list_name FROM "star"."dim_list")'})
    with session.transaction(publishing=[(NAME, on(9))]):
        assert session.frame(query).height == 0
        session.insert(
            "star.dim_list", pl.DataFrame([(1, "a", "cart", None, None)], schema=polars_schema(lists), orient="row")
        )
        assert session.frame(query).height == 5


def test_after_the_work_what_another_session_changed_meanwhile_is_read(platform: Platform, session: Session) -> None:
    with session.transaction(publishing=[(NAME, on(9))]):
        assert session.frame(within(on(0))).height == 2
    with platform.session() as other:
        other.publish(FUNNEL, steps(on(0), 6, 4, 1), on(0))
    assert session.frame(within(on(0))).rows() == [(FIRST, 1), (FIRST, 4), (FIRST, 6)]
    with session.transaction(publishing=[(NAME, on(9))]):
        assert session.frame(within(on(0))).height == 3


def test_what_is_rolled_back_is_not_kept(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.transaction(publishing=[(NAME, on(0))]):
        session.publish(FUNNEL, steps(on(0), 9), on(0))
        raise ZeroDivisionError
    with session.transaction(publishing=[(NAME, on(9))]):
        assert session.frame(within(on(0))).rows() == [(FIRST, 3), (FIRST, 5)]


def test_only_rows_that_are_others_are_stored(session: Session, server: psycopg.Connection) -> None:
    """A late event has its whole day built again, and the server checks each row of a fact against five dimensions."""
    before = versions(server)
    session.publish(FUNNEL, steps(on(0, 4), 5, 3), on(0, 4))
    assert versions(server) == before
    session.publish(FUNNEL, steps(on(2), 5, 4, 1), on(2))
    after = versions(server)
    assert len(before.items() & after.items()) == 9
    assert {key for key in after if after[key] != before.get(key)} == {(on(2).first, "cart"), (on(2).first, "checkout")}
    session.publish(FUNNEL, steps(on(2)), on(2))
    assert len(versions(server)) == 8


def versions(server: psycopg.Connection) -> dict[tuple[dt.date, str], str]:
    """The transaction that each row is from."""
    return {(day, step): xmin for day, step, xmin in server.execute(f"SELECT date, step, xmin::text FROM {NAME}")}
