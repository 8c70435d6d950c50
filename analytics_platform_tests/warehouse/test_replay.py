"""After a contract changed, quarantined rows are validated anew; those that pass move into their table."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import loadings
from analytics_platform.warehouse.replay import replay
from analytics_platform_tests.kit import Contents, Platform, Row, click, contents, load_rows, open_with_tables

OLD, NEW = click("ada", "2023-12-31T23:59:59Z"), click("ada", "2024-03-01T10:00:00Z")
BROKEN = click("", "2023-06-01T10:00:00Z")


@pytest.fixture
def platform(platform: Platform) -> Platform:
    """A platform that takes no event before 2024."""
    return _since(platform, dt.date(2024, 1, 1))


def allowing_2023(platform: Platform) -> Platform:
    return _since(platform, dt.date(2023, 1, 1))


def _since(platform: Platform, start: dt.date) -> Platform:
    """The same platform with another first day, and with the same warehouse."""
    return replace(platform, settings=platform.settings.model_copy(update={"partition_start": start}))


def replayed(platform: Platform, session: Session, *only: str) -> list[tuple[int, int, int, int]]:
    """(moved, accepted, duplicate, quarantined) of each batch that was validated anew."""
    return [
        (found.moved, found.loaded.rows_accepted, found.loaded.rows_duplicate, found.loaded.rows_quarantined)
        for found in replay(session, platform.settings, platform.lake, only or None)
    ]


def undisturbed(platform: Platform, *files: list[Row]) -> Contents:
    """What the tables hold when the new contract was in force from the start."""
    other = open_with_tables(platform.settings.data_dir / "other", partition_start=dt.date(2023, 1, 1))
    with other.session() as session:
        for number, rows in enumerate(files):
            load_rows(other, session, rows, f"{number}.csv")
        return contents(session)


def test_rows_that_pass_now_move_and_the_ledger_follows(platform: Platform, session: Session) -> None:
    rows = [OLD, NEW, BROKEN]
    load_rows(platform, session, rows, "0.csv")
    assert session.rows("SELECT rows_accepted, rows_quarantined FROM ops.pipeline_logs") == [(1, 2)]
    (loaded,) = loadings(session)
    assert replayed(allowing_2023(platform), session) == [(1, 2, 0, 1)]
    (moved,) = loadings(session)
    assert moved.place > loaded.place and len(moved.days) == 2, "its days wait to be built"
    assert contents(session) == undisturbed(platform, rows)


def test_rows_that_still_break_a_rule_stay_with_the_new_reason(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [BROKEN, NEW])
    before = session.rows("SELECT position, raw, error_reason FROM ops.quarantine")
    assert before[0][2] == "client_id: missing; event_at: out of range"
    assert replayed(allowing_2023(platform), session) == [(0, 1, 0, 1)]
    after = session.rows("SELECT position, raw, error_reason FROM ops.quarantine")
    assert after == [(before[0][0], before[0][1], "client_id: missing")]


def test_a_replay_without_a_change_changes_nothing(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [OLD, NEW, NEW, BROKEN])
    before = contents(session), loadings(session)
    assert replayed(platform, session) == [(0, 1, 1, 2)]
    assert (contents(session), loadings(session)) == before


def test_a_row_that_arrived_again_in_between_is_a_duplicate(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [OLD, NEW], "0.csv")
    later = allowing_2023(platform)
    load_rows(later, session, [OLD], "1.csv")
    assert replayed(later, session) == [(1, 1, 1, 0)]
    duplicates = session.rows("SELECT count(*), count(DISTINCT event_id) FROM cleaned.clickstream")
    assert duplicates == [(2, 2)]


def test_a_replay_can_be_kept_to_one_batch(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [OLD], "0.csv")
    load_rows(platform, session, [{**OLD, "client_id": "bob"}], "1.csv")
    ((batch,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs WHERE input = '1.csv'")
    assert len(replayed(allowing_2023(platform), session, str(batch))) == 1
    assert session.rows("SELECT client_id FROM cleaned.clickstream") == [("bob",)]


def test_batches_without_quarantined_rows_are_not_read_again(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [NEW])
    assert replayed(allowing_2023(platform), session) == []
