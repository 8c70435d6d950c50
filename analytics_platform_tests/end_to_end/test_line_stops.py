from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.lake import open_lake
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import open_warehouse
from analytics_platform.warehouse.ledger import accept_batch
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream, failed_checks, failure_words

DAYS = ("2026-03-01", "2026-03-02")
DOWNSTREAM = ("sessionized", "star", "marts")
LOAD = 'key:"raw/clickstream"+1'
TREND = '+key:"marts/daily_trends"'


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> DagsterPlatform:
    """A platform with a good day up to a mart, into which a file with 5.8 % rejected rows was dropped."""
    platform = DagsterPlatform(tmp_path_factory.mktemp("stopped"))
    platform.drop("good.csv", clickstream(500))
    assert platform.materialize(*DAYS, TREND).success
    platform.drop("bad.csv", clickstream(1000, without_client=58, day="2026-03-02", name="d"))
    return platform


def test_a_breach_names_its_check_stores_the_rows_and_leaves_star_and_marts_as_they_were(
    stopped: DagsterPlatform,
) -> None:
    before = stopped.contents(*DOWNSTREAM)

    result = stopped.materialize(*DAYS)

    assert not result.success
    assert failed_checks(result) == {"cleaned/clickstream: error_rate"}
    assert "error_rate: batch" in failure_words(result)
    assert "58 of 1,000 rows rejected (5.80%)" in failure_words(result)
    assert stopped.rows("SELECT count(*) FROM cleaned.clickstream") == [(1442,)]
    assert stopped.rows("SELECT count(*), min(error_reason) FROM ops.quarantine") == [(58, "client_id: missing")]
    assert stopped.contents(*DOWNSTREAM) == before


def test_a_rerun_without_new_data_fails_as_well(stopped: DagsterPlatform) -> None:
    stopped.materialize(*DAYS, LOAD)

    assert failed_checks(stopped.materialize(*DAYS, TREND)) == {"cleaned/clickstream: error_rate"}


def test_a_run_of_only_the_downstream_tables_fails_as_well(stopped: DagsterPlatform) -> None:
    stopped.materialize(*DAYS, LOAD)
    before = stopped.contents(*DOWNSTREAM)

    result = stopped.materialize(*DAYS, 'key:"cleaned/events"+')

    assert "cleaned/events: error_rate" in failed_checks(result)
    assert stopped.contents(*DOWNSTREAM) == before


def test_other_days_than_those_of_the_breach_can_still_be_built(stopped: DagsterPlatform) -> None:
    stopped.materialize(*DAYS, LOAD)

    assert stopped.materialize(DAYS[0], DAYS[0], 'key:"cleaned/events"').success


def test_a_higher_threshold_lets_the_same_data_through(stopped: DagsterPlatform) -> None:
    stopped.materialize(*DAYS, LOAD)
    stopped.configure(max_error_rate=0.10)
    try:
        assert stopped.materialize(*DAYS, TREND).success
    finally:
        stopped.configure()


def test_a_batch_that_cannot_be_loaded_fails_the_run_and_the_others_reach_the_marts(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    platform.drop("good.csv", clickstream(100))
    landed = platform.drop("bad.csv", clickstream(100, name="x"))
    lake = open_lake(platform.settings)
    land_files(SOURCES["clickstream"], platform.settings, lake)
    bad = next(batch for batch in lake.batches("clickstream") if batch.name == "bad.csv")
    bad.path.write_bytes(b"damaged")
    landed.unlink()

    for _ in range(2):
        result = platform.materialize(*DAYS, TREND)

        assert not result.success
        assert failed_checks(result) == {"cleaned/clickstream: batches_loaded"}
        assert f"Batch {bad.batch_id} (bad.csv) of clickstream is not loaded: its file {bad.path}" in failure_words(
            result
        )
        assert platform.rows("SELECT sum(sessions) > 0 FROM marts.daily_trends") == [(True,)]


def test_a_person_can_take_responsibility_for_one_batch(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    platform.drop("bad.csv", clickstream(1000, without_client=58))
    assert not platform.materialize(*DAYS, LOAD).success
    with open_warehouse(platform.settings).session() as session:
        batch_id = str(session.rows("SELECT batch_id FROM ops.pipeline_logs")[0][0])
        accept_batch(session, batch_id, "tracker outage, ticket 17", "mara")

    result = platform.materialize(*DAYS, 'key:"cleaned/clickstream"')

    assert result.success
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "error_rate"]
    assert "tracker outage, ticket 17" in str(check.metadata["accepted batches"].value)
    assert "mara" in str(check.metadata["accepted batches"].value)
