from __future__ import annotations

import datetime as dt
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._cli.asset import asset_materialize_command

from analytics_platform.definitions import build_definitions
from analytics_platform.orchestration.assets.metadata import GATED, asset_key
from analytics_platform.orchestration.assets.tables import guards
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.transform import all_models
from analytics_platform.warehouse import open_warehouse
from analytics_platform_tests.end_to_end.platform_run import clickstream

SNAPSHOT = Path(__file__).parent / "definitions.json"
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(load_settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_assets_checks_jobs_sensors_and_schedules_are_the_ones_written_down(definitions: dg.Definitions) -> None:
    """A change shows here, in review; run this file with `UPDATE_SNAPSHOTS=1` to write it down."""
    graph, repository = definitions.resolve_asset_graph(), definitions.get_repository_def()
    found = {
        "assets": {
            node.key.to_user_string(): sorted(key.name for key in node.check_keys)
            for node in sorted(graph.asset_nodes, key=lambda node: node.key)
        },
        "jobs": sorted(job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs},
    }
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    assert found == json.loads(SNAPSHOT.read_text("utf-8"))
    # Dagster writes three events for each check of a run: 916 took most of the time of a small one.
    assert len(graph.asset_check_keys) <= 130


def test_of_all_tables_that_read_a_gated_table_one_checks_its_error_rate_and_the_others_wait_for_it(
    definitions: dg.Definitions,
) -> None:
    graph, models = definitions.resolve_asset_graph(), all_models()
    for source, guard in guards().items():
        readers = {name for name, model in models.items() if source in model.inputs}
        nodes = {name: graph.get(asset_key(name)) for name in readers}
        assert {name for name in readers if "error_rate" in {key.name for key in nodes[name].check_keys}} == {guard}
        assert {name for name in readers if asset_key(guard) in nodes[name].parent_keys} == readers - {guard}
    assert {source for name in models for source in models[name].inputs if source in GATED} == {*guards()}


def test_every_asset_says_what_it_is_and_where_it_is_written(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        name = spec.key.to_user_string()
        assert spec.description, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.tags.get("layer") == spec.group_name, name
        assert spec.group_name == spec.key.path[0], name
        for reference in spec.metadata["dagster/code_references"].code_references:
            assert Path(reference.file_path).exists(), name


def test_systems_stand_before_their_raw_assets_and_marts_name_the_dashboard(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    systems = {key for key in graph.external_asset_keys if key.path[0] == "sources"}
    assert len(systems) >= 5
    for key in (key for key in graph.executable_asset_keys if key.path[0] == "raw"):
        assert graph.get(key).parent_keys & systems, key
    for key in (key for key in graph.executable_asset_keys if key.path[0] == "marts"):
        assert graph.get(key).metadata["dashboard"] == dg.MetadataValue.url("http://127.0.0.1:8501")


def test_addresses_of_outside_systems_hold_no_secret(tmp_path: Path) -> None:
    secret = "hunter22"
    settings = load_settings(
        data_dir=tmp_path,
        mongodb_uri=f"mongodb://bot:{secret}@db.example:27017/?authSource={secret}",
        users_api_url=f"https://api.example/users?token={secret}",
        shop_database_url=f"postgresql://bot:{secret}@db.example/shop?password={secret}",
        sqs_queue_url="https://sqs.example/1/events",
    )
    specs = list(build_definitions(settings).resolve_all_asset_specs())
    shown = str([(spec.metadata, spec.description) for spec in specs])
    assert "mongodb://db.example:27017/shop.web_logs" in shown
    assert secret not in shown


def test_freshness_is_checked_of_configured_sources_marts_and_reports_only(tmp_path: Path) -> None:
    specs = build_definitions(load_settings(data_dir=tmp_path, freshness_hours=6)).resolve_all_asset_specs()
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in specs if spec.freshness_policy}
    assert "raw/clickstream" in policies
    assert "raw/web_logs" not in policies
    assert {name.partition("/")[0] for name in policies} == {"raw", "marts", "reports"}
    for policy in policies.values():
        assert policy == dg.FreshnessPolicy.time_window(dt.timedelta(hours=6), dt.timedelta(hours=3))


def test_every_table_is_known_by_its_name_in_the_warehouse(specs: list[dg.AssetSpec]) -> None:
    others = ("raw", "reports", "cache", "sources")
    tables = [spec for spec in specs if spec.key.path[0] not in others]
    for spec in tables:
        assert spec.metadata["dagster/table_name"].value == ".".join(spec.key.path)


def test_every_asset_can_be_built_for_a_range_of_days_in_one_run(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for node in (graph.get(key) for key in graph.executable_asset_keys):
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), node.key


@pytest.mark.parametrize("automation", [True, False])
def test_sensors_and_schedules_run_from_the_start_if_the_setting_says_so(tmp_path: Path, automation: bool) -> None:
    repository = build_definitions(load_settings(data_dir=tmp_path, automation=automation)).get_repository_def()
    status = "RUNNING" if automation else "STOPPED"
    for scheduled in [*repository.sensor_defs, *repository.schedule_defs]:
        assert scheduled.default_status.value == status, scheduled.name


def test_alerts_run_without_automation_if_there_is_a_receiver(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, alert_webhook_url="https://hooks.example/x")
    running = {
        sensor.name
        for sensor in build_definitions(settings).get_repository_def().sensor_defs
        if sensor.default_status is dg.DefaultSensorStatus.RUNNING
    }
    assert running == {"alerts"}


LOAD = """
import sys
import analytics_platform.definitions as location
location.build_definitions(location.load_settings(warehouse_url=""))
print(len(list(location.defs.resolve_all_asset_specs())), "matplotlib" in sys.modules)
"""


def test_the_code_location_loads_in_a_fresh_interpreter_without_a_word_and_without_matplotlib(tmp_path: Path) -> None:
    """For DuckDB, and for PostgreSQL whose server does not answer: people must be able to look at the definitions."""
    away = {"DATA_DIR": str(tmp_path), "WAREHOUSE_URL": "postgresql://reader:hunter22@127.0.0.1:9/analytics"}
    command = [sys.executable, "-c", LOAD]
    loaded = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **away}, cwd=ROOT)

    assert (loaded.returncode, loaded.stderr) == (0, "")
    assets, draws = loaded.stdout.split()
    assert int(assets) > 30
    assert draws == "False"


FORK = """
import os, signal
import analytics_platform.definitions
from analytics_platform.gate.records import no_records
if not (child := os.fork()):
    signal.alarm(20)
    no_records()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


def test_a_process_that_is_forked_after_the_import_can_work(tmp_path: Path) -> None:
    """Importing starts none of Polars' threads: the fork would not have them, and would wait for them forever."""
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    away = {"DATA_DIR": str(tmp_path)}
    forked = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **away}, cwd=ROOT)

    assert (forked.stdout, forked.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"WAREHOUSE_URL": "mysql://shop"}, "WAREHOUSE_URL=***: not a warehouse, use duckdb:///"),
        ({"MAX_ERROR_RATE": "7"}, "MAX_ERROR_RATE=7: it must be less than or equal to 1."),
        ({"PARTITION_START": "soon"}, "PARTITION_START=soon: it must be a valid date"),
        ({"WAREHOUSE_MEMORY": "4"}, "WAREHOUSE_MEMORY=4: not an amount of memory, write one like 512MB or 4GB."),
        ({"WAREHOUSE_MEMORY": "0GB"}, "WAREHOUSE_MEMORY=0GB: not an amount of memory"),
        ({"DATA_DIR": "/dev/null"}, "DATA_DIR=/dev/null: /dev/null is no folder, choose another path or move it away."),
        ({"LAKE_URL": "/dev/null/lake"}, "LAKE_URL=***: /dev/null is no folder"),
        *(
            ({"LAKE_URL": url}, "LAKE_URL=***: not a lake, give the path of a folder or s3://bucket/prefix.")
            for url in (
                "gs://shop/lake",
                "s3://",
                "s3://Shop",
                "s3:///lake",
                "s3://key:pass@shop/lake",
                "s3://shop/?x=1",
            )
        ),
        ({"LANDING_DIR": "/dev/null"}, "LANDING_DIR=/dev/null: /dev/null is no folder"),
        *(
            ({"PARTITION_START": day}, f"PARTITION_START={day}: not a day from 1970-01-01 to today, 20")
            for day in ("9999-12-31", "0001-01-01", "2999-01-01")
        ),
        *(
            ({name: f"shop.example, {domain}"}, f"{name}=shop.example, {domain}: {what} is no domain, write domains")
            for name in ("OWN_DOMAINS", "IGNORED_REFERRERS")
            for domain, what in (
                *((each, each) for each in ("*", "*.shop.example", ".example", "shop..example", "a b", "-", "@")),
                ("https://shop.example", "an address"),
            )
        ),
        *(
            ({"WAREHOUSE_URL": f"duckdb:///{path}"}, "WAREHOUSE_URL=***: not a warehouse, use duckdb:///")
            for path in (":memory:", ":memory:x", "md:shop", "s3://bucket/x", ".", "..", "/", "/data/", "/data/..")
        ),
        *(
            ({name: value}, f"{name}={value}: it must be ")
            for name in ("FRESHNESS_HOURS", "STATEMENT_TIMEOUT", "DRAIN_MAX_SECONDS")
            for value in ("inf", "nan", "-1")
        ),
        ({"FRESHNESS_HOURS": "1e300"}, "FRESHNESS_HOURS=1e300: it must be less than or equal to 100000."),
    ],
)
def test_a_wrong_setting_fails_the_code_location_with_a_sentence_that_names_it(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as error:
        runpy.run_path(str(ROOT / "analytics_platform" / "definitions.py"))

    assert str(error.value).startswith(sentence)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("selection", ["*", 'key:"cleaned/events"+', '+key:"marts/attribution"', "raw/clickstream*"])
def test_a_selection_of_built_assets_never_holds_one_that_cannot_be_built(
    definitions: dg.Definitions, selection: str
) -> None:
    """Else `dagster asset materialize --select` fails for the whole selection."""
    graph = definitions.resolve_asset_graph()

    assert dg.AssetSelection.from_string(selection).resolve(graph) <= graph.executable_asset_keys


def test_dagster_materializes_what_is_selected_for_the_days_that_are_given(tmp_path: Path) -> None:
    landing = tmp_path / "landing" / "clickstream"
    landing.mkdir(parents=True)
    landing.joinpath("a.csv").write_text(clickstream(50), "utf-8")
    select = 'key:"cleaned/clickstream" or key:"raw/clickstream" or key:"star/dim_date"'
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "analytics_platform.definitions"]
    command += ["--select", select, "--partition-range", "2026-03-01...2026-03-02"]
    own = {"DATA_DIR": str(tmp_path), "PARTITION_START": "2026-01-01", "PYTHONWARNINGS": "ignore"}

    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own}, cwd=ROOT)

    assert ended.returncode == 0, ended.stderr
    with open_warehouse(load_settings(data_dir=tmp_path)).session(read_only=True) as session:
        assert session.count("cleaned.clickstream") == 50
        assert session.count("star.dim_date") >= 2


def test_dagster_names_a_partition_that_does_not_exist() -> None:
    arguments = ["--select", "star/dim_date", "--partition", "2009-01-01", "-m", "analytics_platform.definitions"]

    ended = CliRunner().invoke(asset_materialize_command, arguments)

    assert ended.exit_code == 1
    assert "containing the passed partition key `2009-01-01`" in str(ended.exception)
