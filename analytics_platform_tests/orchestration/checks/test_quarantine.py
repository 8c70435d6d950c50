"""The check of a gate is about the batches of the run, and a run's outcomes are kept rule by rule."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.orchestration.checks.error_rate import check_error_rate
from analytics_platform.settings import load_settings
from analytics_platform.warehouse.error_rate import days_above
from analytics_platform.warehouse.watchdog import has_low_error_rate
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream
from analytics_platform_tests.kit import click, memory_warehouse, to_csv
from analytics_platform_tests.reports.examples import AS_OF, NOV_1, add

DAYS = ("2026-03-01", "2026-03-02")
SELECT = 'key:"raw/clickstream" or key:"cleaned/clickstream"'


@pytest.fixture
def platform(tmp_path: Path) -> DagsterPlatform:
    return DagsterPlatform(tmp_path, max_error_rate=0.5)


def _load(platform: DagsterPlatform) -> dict[str, dg.AssetCheckEvaluation]:
    result = platform.materialize(*DAYS, select=SELECT)
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_few_rejected_records_leave_the_gate_green_and_say_what_they_were(platform: DagsterPlatform) -> None:
    platform.drop("some.csv", clickstream(1000, without_client=40))

    check = _load(platform)["quarantine"]

    assert check.passed
    assert check.metadata["rejected in this run"].value == 40
    assert [record.data for record in check.metadata["reasons"].value.records] == [
        {"reason": "client_id: missing", "records": "40"}
    ]


def test_many_rejected_records_warn_once_and_a_run_that_reads_nothing_does_not(platform: DagsterPlatform) -> None:
    platform.drop("many.csv", clickstream(1000, without_client=60))

    first, second = _load(platform)["quarantine"], _load(platform)["quarantine"]

    assert not first.passed
    assert first.severity is dg.AssetCheckSeverity.WARN
    assert first.description == "60 of 1,000 records rejected in this run (6.00%)."
    assert second.passed
    assert second.metadata["rejected, all batches"].value == 60


def test_the_worst_error_rate_is_shown_also_where_it_is_allowed(platform: DagsterPlatform) -> None:
    platform.drop("some.csv", clickstream(1000, without_client=40))

    check = _load(platform)["error_rate"]

    assert check.passed
    assert check.metadata["worst rate"].value == pytest.approx(0.04)


def test_a_day_with_too_few_rows_to_check_is_named_and_its_rate_shown() -> None:
    key = dg.AssetKey(["cleaned", "ecommerce_events"])
    with memory_warehouse() as session:
        few = {"source": "ecommerce_events", "rows_accepted": 17, "rows_quarantined": 3}
        add(session, "ops.batch_days", batch_id="b", event_date=NOV_1, **few)
        check, stop = check_error_rate(session, key, 0.05, {"ecommerce_events"})
        seen = has_low_error_rate(session, load_settings(max_error_rate=0.05), AS_OF).seen
        assert days_above(session, 0.05) == set()
    said = "day 2026-11-01 of ecommerce_events: 3 of 20 rows rejected (15.00%)"
    assert stop is None and check.description == "Above the threshold, with too few rows to check: 1 batch or day."
    assert check.metadata["worst rate"].value == pytest.approx(0.15)
    assert check.metadata["too few rows to check"].value == said and f"none above 5.00% but {said}: too few" in seen


def test_the_outcome_of_every_rule_is_kept_for_every_run_that_read_something(platform: DagsterPlatform) -> None:
    platform.drop("some.csv", clickstream(1000, without_client=40))
    _load(platform)
    _load(platform)

    kept = platform.rows(
        "SELECT checked, failing FROM ops.rule_results "
        "WHERE table_name = 'cleaned.clickstream' AND rule = 'client_id: missing'"
    )

    assert kept == [(1000, 40)]


def test_an_own_id_of_several_events_warns_with_examples_and_all_events_are_kept(platform: DagsterPlatform) -> None:
    rows = [
        click(client, "2026-03-01T10:00:00Z", event_id=own)
        for client, own in (("ada", "7"), ("bob", "7"), ("eve", "8"))
    ]
    platform.drop("some.csv", to_csv(rows))

    first, second = _load(platform)["quarantine"], _load(platform)["quarantine"]

    assert (first.passed, first.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert first.description == (
        "0 of 3 records rejected in this run (0.00%). "
        "1 accepted records have the own id of another event, see «ids used again»."
    )
    (record,) = first.metadata["ids used again"].value.records
    assert (record.data["id"], record.data["events"]) == ("7", "2")
    assert second.passed
    assert platform.rows("SELECT count(*) FROM cleaned.clickstream") == [(3,)]
