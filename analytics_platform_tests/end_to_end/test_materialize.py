from __future__ import annotations

import datetime as dt
import gzip
import logging
import shutil
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.definitions import build_definitions
from analytics_platform.demo.simulator import simulate
from analytics_platform.orchestration.assets.metadata import WRITTEN_BY_LOADS, asset_key
from analytics_platform.orchestration.checks.business import DESCRIPTIONS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import open_warehouse
from analytics_platform_tests.end_to_end.platform_run import (
    HEADER,
    DagsterPlatform,
    clickstream,
    failed_checks,
    failure_words,
)
from analytics_platform_tests.kit import HISTORIES, build

START = dt.date(2026, 3, 1)
RANGE = ("2026-03-01", "2026-03-05")


class Run:
    """One simulated shop, loaded once for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        simulate(5, 60, 11, folder / "simulated", START)
        self.platform = DagsterPlatform(folder / "data", partition_start=START, shop_currency="EUR")
        for name in ("clickstream", "exchange_rates"):
            landing = self.platform.settings.landing_dir / name
            shutil.copytree(folder / "simulated" / name, landing, dirs_exist_ok=True)
        self.result = self.platform.materialize(*RANGE)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


def test_all_assets_materialize_over_a_range_of_days(run: Run) -> None:
    assert run.result.success, failure_words(run.result)
    assert failed_checks(run.result) == set()


def test_every_table_has_its_columns_row_count_and_lineage_in_the_ui(run: Run) -> None:
    for name in CONTRACTS.keys() - WRITTEN_BY_LOADS - HISTORIES:
        latest = run.platform.instance.get_latest_materialization_event(asset_key(name))
        assert latest and latest.asset_materialization, name
        metadata = latest.asset_materialization.metadata
        assert isinstance(metadata["dagster/column_schema"], dg.TableSchemaMetadataValue), name
        assert isinstance(metadata["dagster/row_count"], dg.IntMetadataValue), name
        assert isinstance(metadata["dagster/column_lineage"], dg.TableColumnLineageMetadataValue), name


def test_columns_and_pictures_are_stored_with_the_last_day_of_a_run_and_not_with_each(run: Run) -> None:
    days = {
        event.partition: dict(event.materialization.metadata)
        for event in run.result.get_asset_materialization_events()
        if event.asset_key == asset_key("marts.daily_trends")
    }
    assert [*days] == [f"{START + dt.timedelta(days=number)}" for number in range(5)]
    *before, last = days.values()
    assert [{*each} for each in before] == [{"dagster/row_count"}] * 4
    assert {"dagster/row_count", "dagster/column_schema", "dagster/column_lineage", "preview"} < {*last}


def test_the_watchdog_is_a_job_that_checks_and_builds_nothing(run: Run) -> None:
    job = build_definitions(run.platform.settings).resolve_job_def("watch")

    result = job.execute_in_process(instance=run.platform.instance)

    assert result.success
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    # no rate of the yen is simulated on the first days
    assert passed == dict.fromkeys(DESCRIPTIONS, True) | {"currency": False}
    assert not [event for event in result.all_events if event.is_step_materialization]


def test_a_second_run_changes_no_table_and_reads_no_row_again(run: Run) -> None:
    before = run.platform.contents()

    # That each table is the same when it is built again, models.test_incremental proves without Dagster.
    assert run.platform.materialize(*RANGE, select='+key:"sessionized/sessions"').success

    assert run.platform.contents() == before


def test_the_same_content_under_another_name_is_not_loaded_twice(run: Run) -> None:
    source = next((run.platform.settings.landing_dir / "clickstream").glob("*.csv"))
    run.platform.drop("copy_of_it.csv", source.read_bytes())
    before = run.platform.contents()

    assert run.platform.materialize(*RANGE, select='key:"raw/clickstream"+1').success

    assert run.platform.contents() == before


def test_a_file_without_a_required_column_is_rejected_by_name_and_the_others_are_loaded(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    platform.drop("good.csv", clickstream(20))
    platform.drop("bad.csv", clickstream(20, name="x").replace("timestamp", "time", 1))

    result = platform.materialize("2026-03-01", "2026-03-01", select='+key:"star/fact_events"')

    assert not result.success
    assert failed_checks(result) == {"raw/clickstream: files_readable"}
    assert "bad.csv: required column timestamp missing" in failure_words(result)
    assert platform.rows("SELECT count(*) FROM star.fact_events") == [(20,)]


def test_damaged_compressed_files_are_rejected_and_unfinished_ones_ignored(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    packed = gzip.compress(clickstream(200).encode())
    platform.drop("cut.csv.gz", packed[: len(packed) // 2])
    platform.drop("whole.csv.gz", packed)
    platform.drop("arriving.csv.part", clickstream(5, name="p"))
    platform.drop(".hidden.csv", clickstream(5, name="h"))

    result = platform.materialize("2026-03-01", "2026-03-01", select='key:"raw/clickstream"+1')

    assert "cut.csv.gz: cannot be decompressed" in failure_words(result)
    assert platform.rows("SELECT input, rows_accepted FROM ops.pipeline_logs") == [("whole.csv.gz", 200)]


def test_empty_and_header_only_files_are_batches_of_no_rows_and_a_warning_names_each(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)
    for number, content in enumerate(("", HEADER, HEADER + "\n", "\n\n")):
        platform.drop(f"{number}.csv", content)

    result = platform.materialize("2026-03-01", "2026-03-01", select='key:"raw/clickstream"+1')

    assert result.success
    found = platform.rows("SELECT input, rows_read FROM ops.pipeline_logs ORDER BY 1")
    assert found == [(f"{number}.csv", 0) for number in range(4)]
    logs = platform.instance.all_logs(result.run_id)
    warnings = sorted(entry.user_message for entry in logs if entry.level == logging.WARNING)
    sizes = (0, len(HEADER), len(HEADER) + 1, 2)
    for number, (words, size) in enumerate(zip(warnings, sizes, strict=True)):
        assert words.startswith(f"clickstream/{number}.csv is an empty delivery ({size} bytes, no row): if it should")


def test_an_empty_landing_folder_gives_empty_tables_and_no_error(tmp_path: Path) -> None:
    platform = DagsterPlatform(tmp_path)

    result = platform.materialize("2026-03-01", "2026-03-01", select='+key:"marts/daily_trends"')

    assert result.success, failure_words(result)
    assert platform.rows("SELECT count(*) FROM marts.daily_trends") == [(0,)]
    with open_warehouse(platform.settings).session() as session:
        published = build(session, DayRange(START, START), platform.settings)
    filled = {name for name, found in published.items() if found.rows}
    assert all(name == "cleaned.source_categories" or name.startswith("star.dim_") for name in filled), filled
