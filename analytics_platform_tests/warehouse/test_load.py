"""Loading batches: every record ends in exactly one place, every event is stored once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.settings import load_settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import LEDGER_TABLES, Loaded, Session, WarehouseError
from analytics_platform.warehouse.error_rate import find_breaches
from analytics_platform.warehouse.ledger import accept_batch, acceptances, find_batch, unloaded_batches
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.watchdog import has_low_error_rate
from analytics_platform_tests.kit import Platform, Row, click, load_landed, load_rows, open_platform, to_csv
from analytics_platform_tests.names import CLICKSTREAM

AT = "2024-03-01T10:00:00Z"
GOOD, OTHER = click("ada", AT), click("bob", AT)
BAD = click("", AT)


def stored(session: Session) -> list[tuple[object, ...]]:
    return session.rows("SELECT client_id, position, batch_id FROM cleaned.clickstream ORDER BY ALL")


def test_duplicates_within_a_batch_are_counted_and_the_first_line_stays(platform: Platform, session: Session) -> None:
    assert load_rows(platform, session, [OTHER, GOOD, GOOD, GOOD]) == [Loaded(2, 2, 0)]
    assert [row[:2] for row in stored(session)] == [("ada", 3), ("bob", 2)]


def test_duplicates_of_an_earlier_batch_are_counted_and_the_earlier_stays(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD], "first.csv")
    before = stored(session)
    assert load_rows(platform, session, [OTHER, GOOD], "second.csv") == [Loaded(1, 1, 0)]
    assert stored(session)[:1] == before


@pytest.mark.parametrize(
    "timestamp",
    ["2024-03-01 10:00:00", "2024-03-01T12:00:00+02:00", "2024-03-01 10:00:00.000 UTC", "1709287200", "1709287200000"],
)
def test_a_duplicate_is_known_by_its_time_in_any_notation(platform: Platform, session: Session, timestamp: str) -> None:
    load_rows(platform, session, [GOOD], "first.csv")
    assert load_rows(platform, session, [{**GOOD, "timestamp": timestamp}], "second.csv") == [Loaded(0, 1, 0)]


@pytest.mark.parametrize("column", ["page_url", "referrer", "event_data", "event_name", "user_id"])
def test_events_that_differ_in_anything_that_identifies_them_are_not_duplicates(
    platform: Platform, session: Session, column: str
) -> None:
    other = {**GOOD, column: '{"a": 1}' if column == "event_data" else "/other"}
    assert load_rows(platform, session, [GOOD, other]) == [Loaded(2, 0, 0)]


def test_the_same_content_under_another_name_is_not_read_again(platform: Platform, session: Session) -> None:
    assert load_rows(platform, session, [GOOD], "first.csv") == [Loaded(1, 0, 0)]
    assert load_rows(platform, session, [GOOD], "again.csv") == []
    assert load_landed(platform, session) == []


def test_a_changed_file_under_the_same_name_is_new_content(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD], "rows.csv")
    assert load_rows(platform, session, [GOOD, OTHER], "rows.csv") == [Loaded(1, 1, 0)]


ROWS = st.lists(
    st.sampled_from([GOOD, OTHER, BAD, click("eve", "2024-03-02T00:00:00Z"), click("eve", "yesterday")]), max_size=8
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, min_size=1, max_size=3, unique_by=repr))
def test_every_record_ends_in_exactly_one_place(
    tmp_path_factory: pytest.TempPathFactory, files: Sequence[Sequence[Row]]
) -> None:
    platform = open_platform(tmp_path_factory.mktemp("platform"))
    with platform.session() as session:
        for number, rows in enumerate(files):
            # An extra column: files with the same rows are different content.
            load_rows(platform, session, [{**row, f"file_{number}": ""} for row in rows], f"{number}.csv")
        ((read, *ends),) = session.rows(
            """
            SELECT coalesce(sum(rows_read), 0), coalesce(sum(rows_accepted), 0),
                coalesce(sum(rows_duplicate), 0), coalesce(sum(rows_quarantined), 0)
            FROM ops.pipeline_logs
            """
        )
        found = session.rows(
            """
            SELECT (SELECT count(*) FROM cleaned.clickstream), (SELECT count(*) FROM ops.quarantine),
                (SELECT count(*) - count(DISTINCT event_id) FROM cleaned.clickstream)
            """
        )
    accepted, _, quarantined = ends
    assert read == sum(map(len, files)) == sum(ends)
    assert found == [(accepted, quarantined, 0)]


def test_a_batch_above_the_threshold_is_a_breach_of_batch_and_day(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD, OTHER, BAD, click("eve", "2024-03-05T10:00:00Z")])
    batch, day = find_breaches(session, 0.2)
    assert (batch.kind, batch.input, batch.rows_quarantined, batch.rows_read) == ("batch", "rows.csv", 1, 4)
    assert (day.kind, day.name, day.rows_quarantined, day.rows_read) == ("day", "2024-03-01", 1, 3)
    assert str(day) == "day 2024-03-01 of clickstream: 1 of 3 rows rejected (33.33%)"
    assert [breach.kind for breach in find_breaches(session, 0.3)] == ["day"]
    assert find_breaches(session, 0.34) == []


def test_breaches_are_those_of_the_days_that_are_asked_for(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD, BAD])
    other_day = dt.date(2024, 3, 2)
    assert find_breaches(session, 0.1, DayRange(other_day, other_day)) == []
    assert len(find_breaches(session, 0.1, DayRange(dt.date(2024, 3, 1), other_day))) == 2


def test_a_batch_of_which_nothing_was_accepted_is_a_breach(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [BAD])
    assert [breach.kind for breach in find_breaches(session, 0.5)] == ["batch"]


def test_a_batch_that_a_person_accepted_passes_and_the_reason_is_kept(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD, BAD])
    card = find_batch(session, find_breaches(session, 0.1)[0].name[:6])
    assert card.input == "rows.csv"
    batch_id = card.batch_id
    accept_batch(session, batch_id, "known outage", "grace")
    accept_batch(session, batch_id, "known outage of the tracker", "grace")
    assert find_breaches(session, 0.1) == []
    (word,) = acceptances(session)
    assert (word.batch_id, word.reason, word.accepted_by) == (batch_id, "known outage of the tracker", "grace")
    seen = has_low_error_rate(session, load_settings(max_error_rate=0.1), dt.datetime.now(dt.UTC)).seen
    assert seen == "1 of 2 rows rejected, none above 10.00% but 1 settled batch"


@pytest.mark.parametrize("name", ["", "nothing"])
def test_a_batch_that_is_not_there_cannot_be_found(session: Session, name: str) -> None:
    with pytest.raises(WarehouseError, match="No batch has an id"):
        find_batch(session, name)


def test_an_empty_file_is_a_batch_without_rows(platform: Platform, session: Session, tmp_path: Path) -> None:
    (platform.landing / "empty.csv").touch()
    assert load_landed(platform, session) == [Loaded(0, 0, 0)]
    assert session.rows("SELECT rows_read, error_rate, drift FROM ops.pipeline_logs") == [(0, 0.0, "empty file")]


def test_small_batches_are_loaded_together_as_one_after_the_other_and_one_that_fails_holds_up_none(
    platform: Platform, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [[GOOD, BAD], [OTHER, GOOD, GOOD], [BAD, BAD], [BAD], [OTHER, click("eve", "2024-03-02T00:00:00Z"), GOOD]]
    source, found = SOURCES[CLICKSTREAM], []
    for together in (50, 1):
        monkeypatch.setattr("analytics_platform.warehouse.load.TOGETHER", together)
        batches = [
            platform.lake.put_bytes(
                source.name,
                f"{number}.csv",
                ".csv",
                to_csv([{**row, f"_{together}_{number}": ""} for row in rows]).encode(),
            )
            for number, rows in enumerate(files)
        ]
        batches[3].path.write_bytes(batches[3].path.read_bytes().replace(b"client", b"Client"))
        loaded = [each for _, each in load_new_batches(source, session, platform.settings, platform.lake, "test")]
        days = "SELECT rows_accepted, rows_duplicate, rows_quarantined FROM ops.batch_days ORDER BY ALL"
        found.append((loaded, stored_places(session), session.rows(days)))
        assert [each.input for each in unloaded_batches(session)] == ["3.csv"]
        for table in ("cleaned.clickstream", *(contract.table.name for contract in LEDGER_TABLES)):
            session.execute(f"DELETE FROM {table} WHERE true")
        for path in platform.lake.root.rglob("*.*"):
            path.unlink()
    assert found[0] == found[1]
    assert found[0][0] == [Loaded(1, 0, 1), Loaded(1, 2, 0), Loaded(0, 0, 2), Loaded(1, 2, 0)]


@pytest.mark.parametrize("files", [1, 2])
def test_a_signal_during_a_query_sets_no_batch_aside(
    platform: Platform, session: Session, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    for number in range(files):
        platform.landing.joinpath(f"{number}.csv").write_text(to_csv([click(f"c{number}", "2024-03-01T00:00:00Z")]))

    def stop(*_: object) -> None:
        raise RuntimeError("Query interrupted")  # as DuckDB does

    with monkeypatch.context() as patch:
        patch.setattr("analytics_platform.warehouse.load.drop_duplicates", stop)
        with pytest.raises(KeyboardInterrupt):
            load_landed(platform, session)
    assert unloaded_batches(session) == []
    assert len(load_landed(platform, session)) == files


def stored_places(session: Session) -> list[tuple[object, ...]]:
    sql = """
        SELECT client_id, position, input FROM cleaned.clickstream INNER JOIN ops.pipeline_logs USING (batch_id)
        ORDER BY ALL
    """
    return session.rows(sql)
