from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.errors import UserError
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.launch import StartError, all_days, check_days, find_assets, materialize
from analytics_platform.orchestration.resources import WarehouseResource, build_resources
from analytics_platform.settings import Settings, load_settings
from analytics_platform.transform import DayRange
from analytics_platform_tests.kit import click, load_rows, open_platform


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, partition_start="2026-01-01")


@pytest.mark.parametrize("days", ["2026-01-01...2026-01-31", "2026-01-31"])
def test_days_that_are_partitions_are_accepted(settings: Settings, days: str) -> None:
    assert check_days(days, settings) == DayRange.parse(days)


def test_tomorrow_is_a_partition_and_the_day_after_is_not(settings: Settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    check_days(f"{today + dt.timedelta(days=1)}", settings)
    tomorrow = today + dt.timedelta(days=1)
    with pytest.raises(StartError, match=f"2026-01-01 \\(PARTITION_START\\) to {tomorrow}, tomorrow, the latest day"):
        check_days(f"{today + dt.timedelta(days=3)}", settings)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ("2025-12-31...2026-01-02", "2025-12-31 cannot be built: days run from 2026-01-01"),
        ("2026-01-02...2026-01-01", "2026-01-02...2026-01-01 is no range of days: write YYYY-MM-DD...YYYY-MM-DD"),
        ("soon", "soon is no range of days: write YYYY-MM-DD...YYYY-MM-DD"),
        ("2026-02-30", "2026-02-30 is no range of days: write YYYY-MM-DD...YYYY-MM-DD, or one day YYYY-MM-DD"),
        ("2026-01-05...", "2026-01-05... is no range of days"),
        ("2026-01-05..2026-01-06", "2026-01-05..2026-01-06 is no range of days"),
    ],
)
def test_other_days_are_named_with_what_to_write(settings: Settings, days: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        check_days(days, settings)

    assert str(error.value).startswith(sentence)


def test_all_days_are_those_with_events_that_are_partitions(tmp_path: Path) -> None:
    platform = open_platform(tmp_path, partition_start="2026-01-01")
    with pytest.raises(StartError, match="--days all: no event was loaded yet: run `analytics-platform materialize`"):
        all_days(platform.settings)
    with platform.session() as session:
        load_rows(platform, session, [click("ada", f"{day}T10:00:00") for day in ("2026-01-02", "2026-01-05")])
    assert str(all_days(platform.settings)) == "2026-01-02...2026-01-05"
    later = platform.settings.model_copy(update={"partition_start": dt.date(2026, 1, 4)})
    assert str(all_days(later)) == "2026-01-04...2026-01-05"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(load_settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ("marts/daily_trends", {"marts/daily_trends"}),
        ('key:"raw/users" or key:"raw/web*"', {"raw/users", "raw/web_logs"}),
        ("group:reports", {"reports/findings"}),
        ("key:sources/sqs_queue+1", {"raw/ecommerce_events"}),
    ],
)
def test_a_selection_names_assets_that_can_be_built(definitions: dg.Definitions, select: str, found: set[str]) -> None:
    assert {key.to_user_string() for key in find_assets(definitions, select)} == found


def test_the_default_selection_is_everything(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert find_assets(definitions, "*") == graph.materializable_asset_keys


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        ("marts/daily_trend", "'marts/daily_trend' names no asset that can be built: did you mean marts/daily_trends"),
        (
            "marts.daily_trends",
            "'marts.daily_trends' names no asset that can be built: did you mean marts/daily_trends",
        ),
        ("daily_trends", "'daily_trends' names no asset that can be built: did you mean marts/daily_trends"),
        ("key:raw/userz", "'raw/userz' names no asset that can be built: did you mean raw/users"),
        ('key:"raw/users" or key:"raw/ordrs"', "'raw/ordrs' names no asset that can be built: did you mean raw/orders"),
        ("group:mart", "'mart' names no asset that can be built: did you mean marts?"),
        (
            "marts/funnel or marts/rfm",
            "'marts/funnel or marts/rfm' names no asset that can be built: write marts/d",
        ),
        ("foo(", "'foo(' names no asset that can be built: write marts/daily_trends, +key:"),
        ("", "'' names no asset that can be built: write "),
        ("owner:nobody", "'owner:nobody' names no asset that can be built: write "),
        ("key:sources/sqs_queue", "'key:sources/sqs_queue' names no asset that can be built: write "),
        ("status:FRESH", "'status:FRESH' names no asset that can be built: write "),
        ("code_location:x", "'code_location:x' names no asset that can be built: write "),
    ],
)
def test_a_selection_that_names_nothing_in_whole_or_part_is_one_sentence(
    definitions: dg.Definitions, select: str, sentence: str
) -> None:
    with pytest.raises(StartError) as error:
        find_assets(definitions, select)

    assert str(error.value).startswith(f"--select: {sentence}")


LONG_QUERY = "SELECT sum(hash(a.range + b.range)) FROM range(1_000_000_000) AS a, range(1_000_000_000) AS b"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("sql", ["SELECT 1", LONG_QUERY])
def test_a_run_that_is_told_to_stop_ends_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int, sql: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(settings.data_dir))
    handler, begun = signal.getsignal(signal.SIGTERM), list[int]()

    @dg.asset(key=["raw", "clickstream"])
    def first(warehouse: dg.ResourceParam[WarehouseResource]) -> None:
        begun.append(1)
        with warehouse.session() as session:
            threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
            session.rows(sql)
            time.sleep(5)

    @dg.asset(key=["raw", "users"])
    def second(warehouse: dg.ResourceParam[WarehouseResource]) -> None:
        begun.append(2)
        time.sleep(5)

    jobs = [dg.define_asset_job("ingest_everything")]
    definitions = dg.Definitions([first, second], jobs=jobs, resources=build_resources(settings))
    try:
        with pytest.raises(KeyboardInterrupt):
            materialize(definitions, settings, "*", None, debug=False)
    finally:
        signal.signal(signal.SIGTERM, handler)

    assert begun == [1]
    assert "Failed" not in capfd.readouterr().out


def test_a_damaged_history_of_runs_is_one_sentence_whose_remedy_works(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    definitions = build_definitions(settings)
    assert materialize(definitions, settings, "raw/clickstream", "2026-01-01", debug=False)
    file = home / "history" / "runs.db"
    file.write_bytes(b"no database " * 500)

    with pytest.raises(UserError, match=f"The history of runs in {home} cannot be used .*: make room"):
        materialize(definitions, settings, "raw/clickstream", "2026-01-01", debug=False)

    for folder in ("history", "schedules"):
        (home / folder).rename(tmp_path / folder)
    assert materialize(definitions, settings, "raw/clickstream", "2026-01-01", debug=False)


def test_what_arrives_is_fetched_before_there_is_a_warehouse(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert materialize(build_definitions(settings), settings, "raw/clickstream", None, debug=False)
    assert "raw.clickstream" in capfd.readouterr().out
