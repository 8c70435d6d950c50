from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import duckdb
import pytest

from analytics_platform.errors import printable
from analytics_platform.sources.person import Person
from analytics_platform.warehouse.erasure import Erasure, save, unfinished
from analytics_platform.warehouse.versions import OTHER_VERSION
from analytics_platform_tests.cli.conftest import Call
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import Platform, become_nobody, load_landed, open_platform
from analytics_platform_tests.names import SHOP


def _run(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from analytics_platform.cli.main import main; main()", *arguments]
    own = {"DATA_DIR": str(data_dir), "COLUMNS": "170", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own, **environment})


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert _run(tmp_path, "--version").stdout == f"analytics-platform {version('analytics-platform')}\n"


def test_monitor_before_the_first_run_says_what_to_do(call: Call, tmp_path: Path) -> None:
    ended = call(tmp_path, "monitor")

    assert ended.returncode == 2
    assert ended.stderr.startswith("analytics-platform: There is no warehouse at")
    assert "Traceback" not in ended.stderr


def test_monitor_says_when_the_warehouse_is_in_use(platform: Platform) -> None:
    with duckdb.connect(str(platform.settings.warehouse_path)):
        ended = _run(platform.settings.data_dir, "monitor")

    assert ended.returncode == 2
    assert "is in use by another process" in ended.stderr


@pytest.mark.parametrize("batch", ["zzz", "\udcff"])
def test_accepting_an_unknown_batch_ends_in_one_sentence(call: Call, platform: Platform, batch: str) -> None:
    ended = call(platform.settings.data_dir, "accept", batch, "--reason", "no")

    assert ended.returncode == 2
    assert (
        ended.stderr == f"analytics-platform: No batch has an id that starts with '{printable(batch)}': "
        "the latest are in `analytics-platform status`, all in ops.pipeline_logs and ops.set_aside.\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("accept", "a", "--reason", "no"),
        ("withdraw", "a", "--reason", "no"),
        ("replay",),
    ],
)
def test_a_command_that_corrects_says_that_there_is_nothing_in_a_mistyped_folder(
    call: Call, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = call(tmp_path, *command)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"analytics-platform: There is no platform in DATA_DIR={tmp_path}, neither the")
    assert list(tmp_path.iterdir()) == []


EVERY = [
    *("status", "monitor", "materialize", "accept a --reason no", "withdraw a --reason no", "replay", "erase --drop"),
    *("explain customer_rfm", "drain", "redrive", "demo", "dashboard", "shop init"),
]


@pytest.mark.parametrize("command", EVERY)
def test_a_file_in_place_of_the_data_folder_is_said_by_every_command(call: Call, tmp_path: Path, command: str) -> None:
    path = tmp_path / "file"
    path.touch()

    ended = call(path, *command.split())

    words = f"DATA_DIR={path}: {path} is no folder, choose another path or move it away."
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"analytics-platform: {words}\n")


def test_a_data_folder_without_rights_is_said_by_every_command_that_needs_them(call: Call) -> None:
    with tempfile.TemporaryDirectory() as name:
        restore, folder = become_nobody(Path(name)), Path(name) / "data"
        try:
            folder.mkdir()
            folder.joinpath("warehouse.duckdb").touch()
            writing = [each for each in EVERY if re.match("accept|withdraw|replay|drain", each)]
            for mode, commands, words in ((0o500, writing, "written"), (0, EVERY, "read")):
                folder.chmod(mode)
                for command in commands:
                    ended = call(folder, *command.split())
                    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
                    assert ended.stderr.startswith(f"analytics-platform: DATA_DIR={folder}: ")
                    assert f"cannot be {words}" in ended.stderr and "choose another" in ended.stderr
        finally:
            folder.chmod(0o700)
            restore()


@pytest.mark.parametrize(
    "command",
    [
        *(("withdraw", "", "--reason", "x"), ("accept", " ", "--reason", "x"), ("replay", ""), ("explain", "")),
        *(("materialize", "--days", ""), ("materialize", "--select="), ("erase", "--email", ""), ("copy", "--to", "")),
        *(("reference", "--out", ""), ("simulate", "--out="), ("dashboard", "--address", ""), ("shop", "order", "")),
    ],
)
def test_an_empty_argument_ends_in_one_sentence(call: Call, tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = call(tmp_path, *command)

    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert ended.stderr.startswith("analytics-platform: The argument '") and " is empty: give a value" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("status",), ("monitor",), ("accept", "a", "--reason", "no"), ("replay",)])
def test_a_folder_in_place_of_the_warehouse_is_said(call: Call, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "warehouse.duckdb").mkdir()

    ended = call(tmp_path, *command)

    assert ended.returncode == 2
    assert ended.stderr == (
        f"analytics-platform: The warehouse {tmp_path / 'warehouse.duckdb'} is a folder, not a file: move it away, or "
        "correct WAREHOUSE_URL.\n"
    )


def test_what_status_says_of_a_breach_can_be_copied_also_from_a_narrow_terminal(call: Call, platform: Platform) -> None:
    with platform.session(read_only=True) as session:
        (batch_id,) = session.one("SELECT batch_id FROM ops.pipeline_logs")

    shown = call(platform.settings.data_dir, "status", COLUMNS="60").stdout

    assert shown.count(batch_id) >= 2
    assert f"`analytics-platform accept {batch_id} --reason '…'`" in shown.splitlines()[-1]


def test_an_accepted_batch_no_longer_fails_the_monitor_and_is_accepted_once(call: Call, platform: Platform) -> None:
    with platform.session(read_only=True) as session:
        batch_id = str(session.rows("SELECT batch_id FROM ops.pipeline_logs")[0][0])

    accepted = call(platform.settings.data_dir, "accept", batch_id[:6], "--reason", "tracker\r\n outage\x1b[31m")

    assert accepted.returncode == 0
    assert accepted.stdout.splitlines() == [
        f"Batch {batch_id} (bad.csv) is accepted: tracker outage\\x1b[31m",
        "Build the days that wait: analytics-platform materialize --days 2026-03-01...2026-03-01",
    ]
    platform.landing.joinpath("bad.csv").unlink()
    shown = call(platform.settings.data_dir, "status").stdout.splitlines()[-1]
    assert shown == "Next: Days wait to be built: run `analytics-platform materialize --days 2026-03-01...2026-03-01`."
    assert call(platform.settings.data_dir, "monitor").returncode == 0
    again = call(platform.settings.data_dir, "accept", batch_id, "--reason", "another reason")
    assert again.stdout.startswith(f"Nothing to do: batch {batch_id} was accepted by {getpass.getuser()} on 20")
    assert " UTC: tracker outage\\x1b[31m\n" in again.stdout


ABSENT = ("--email", "nobody@example.com")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (ABSENT, 0, r"Nothing was found: none of \d+ places names the person."),
        ((*ABSENT, "--dry-run"), 0, r"Nothing was found: none of \d+ places names the person."),
        (("--email", "ada"), 2, "'ada' is no e-mail address"),
        (("--email", "@"), 2, "'@' is no e-mail address"),
        (("--client", "\udcff"), 2, r"--client '\\udcff' is not UTF-8: write its bytes as tables show them"),
        (("--user", " 0 "), 2, "' 0 ' is no identifier"),
        ((), 2, "give --client, --user or --email at least once"),
        (("--drop",), 0, "There is no erasure to drop."),
    ],
)
def test_whom_nothing_names_and_what_is_no_identifier_is_said_in_one_sentence(
    call: Call, platform: Platform, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = call(platform.settings.data_dir, "erase", *arguments)
    assert ended.returncode == code
    assert re.search(said, ended.stderr if code else ended.stdout)
    assert len(ended.stderr.splitlines()) == (1 if code else 0)
    assert unfinished(platform.lake) is None


@pytest.mark.parametrize("arguments", [ABSENT, (*ABSENT, "--dry-run"), ("--drop",)])
def test_where_there_is_no_platform_nobody_is_proven_to_be_erased(
    call: Call, platform: Platform, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    for folder, other in (
        (tmp_path / "mistyped", {}),
        (platform.settings.data_dir, {"LAKE_URL": str(tmp_path / "no")}),
    ):
        ended = call(folder, "erase", *arguments, **other)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
        assert "check DATA_DIR, LAKE_URL and WAREHOUSE_URL" in ended.stderr


def test_an_erasure_that_has_not_ended_is_in_the_status_until_it_is_dropped(call: Call, platform: Platform) -> None:
    save(platform.lake, Erasure(Person.of(client=["wrong"])))
    folder = platform.settings.data_dir
    assert "Next: An erasure has not ended" in call(folder, "status").stdout
    assert call(folder, "erase", "--dry-run").stdout.startswith("To erase: client wrong\n")
    assert "Dropped: the erasure of client wrong." in call(folder, "erase", "--drop").stdout
    assert "erasure" not in call(folder, "status").stdout


def test_replay_moves_rows_that_pass_now_and_names_the_days_to_build(call: Call, tmp_path: Path) -> None:
    platform = open_platform(tmp_path, partition_start="2026-03-02")
    platform.landing.joinpath("early.csv").write_text(clickstream(100, day="2026-03-01"), "utf-8")
    platform.landing.joinpath("\x1b[31mbad.csv").write_text(clickstream(100, 7, day="2026-03-01", name="d"), "utf-8")
    with platform.session() as session:
        load_landed(platform, session)

    ended = call(tmp_path, "replay", PARTITION_START="2026-03-01")

    assert ended.returncode == 0
    for figures in (
        "(\\x1b[31mbad.csv): 93 rows moved, 7 still quarantined.",
        "(early.csv): 100 rows moved, 0 still quarantined.",
        "All 2 batches: 193 rows moved, 7 still quarantined.",
    ):
        assert figures in ended.stdout
    assert "materialize --days 2026-03-01...2026-03-01" in ended.stdout
    with platform.session(read_only=True) as session:
        assert session.rows("SELECT count(*) FROM cleaned.clickstream") == [(193,)]


def test_simulate_writes_files_and_the_truth_about_them(call: Call, tmp_path: Path) -> None:
    ended = call(tmp_path, "simulate", "--days", "2", "--visitors", "20", "--seed", "3", "--out", str(tmp_path / "out"))

    assert ended.returncode == 0
    assert (tmp_path / "out" / "truth.json").exists()
    assert len(list((tmp_path / "out" / "clickstream").iterdir())) == 2


def test_days_that_are_not_partitions_end_in_one_sentence(call: Call, tmp_path: Path) -> None:
    ended = call(tmp_path, "materialize", "--days", "2025-01-01...2025-01-02", PARTITION_START="2026-01-01")

    assert ended.returncode == 2
    assert ended.stderr.startswith("analytics-platform: 2025-01-01 cannot be built")
    assert len(ended.stderr.splitlines()) == 1


def test_status_before_the_first_run_names_the_sources_and_the_next_step(call: Call, tmp_path: Path) -> None:
    ended = call(tmp_path, "status", "--json", MONGODB_URI="mongodb://bot:hunter22@db.example/?x=hunter22")

    found = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert "hunter22" not in ended.stdout
    assert {source["name"]: source["configured"] for source in found["sources"]} == {
        "clickstream": True,
        "ecommerce_events": False,
        "ga4_events": True,
        "web_logs": True,
        "users": False,
        "exchange_rates": False,
        **dict.fromkeys(SHOP, False),
    }
    assert found["next_step"].startswith(f"Nothing was loaded yet into DATA_DIR={tmp_path}: put exports into")
    assert found["sources"][0]["place"] == f"{tmp_path}/landing/clickstream (no such folder yet)"
    assert found["not_set"] == [
        "SQS_QUEUE_URL (ecommerce_events)",
        "EXCHANGE_RATES_URL (exchange_rates)",
        "SHOP_DATABASE_URL (customers, products, orders, order_items)",
        "USERS_API_URL (users)",
        "REDIS_URL (cache/best_sellers)",
    ]


def test_status_shows_batches_figures_and_what_to_do_about_what_fails(call: Call, platform: Platform) -> None:
    ended = call(platform.settings.data_dir, "status")
    found = json.loads(call(platform.settings.data_dir, "status", "--json").stdout)

    assert ended.returncode == 0
    assert "bad.csv" in ended.stdout
    assert "Next: " in ended.stdout
    assert found["batches"][0]["rows_quarantined"] == 58
    assert found["sources"][0]["rows"] == 942
    assert {"name", "passed", "seen", "remedy", "checked", "is_damage"} == set(found["observations"][0])


@pytest.fixture(scope="module")
def of_another_version(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The same warehouse, as a version built it that had fewer columns and no persons."""
    older = open_platform(tmp_path_factory.mktemp("older"))
    shutil.copytree(platform.settings.data_dir, older.settings.data_dir, dirs_exist_ok=True)
    with older.session() as session:
        session.execute("ALTER TABLE ops.pipeline_logs DROP COLUMN id_reused")
        session.execute("ALTER TABLE cleaned.clickstream DROP COLUMN user_id")
        session.execute("DROP TABLE ops.person_links")
    return older


@pytest.mark.parametrize(
    "command",
    [("status",), ("monitor",), ("erase", "--dry-run", "--user", "u")],
    ids=lambda command: command[0],
)
def test_a_warehouse_of_another_version_is_said_in_one_sentence(
    call: Call, of_another_version: Platform, command: tuple[str, ...]
) -> None:
    ended = call(of_another_version.settings.data_dir, *command)

    assert (ended.returncode, ended.stderr) == (2, f"analytics-platform: {OTHER_VERSION}\n")


def test_monitor_answers_scripts_in_json(call: Call, platform: Platform) -> None:
    ended = call(platform.settings.data_dir, "monitor", "--json", MAX_ERROR_RATE="0.01")

    observations = {entry["name"]: entry["passed"] for entry in json.loads(ended.stdout)}
    assert observations["fresh"] is True
    assert ended.returncode == (0 if all(observations.values()) else 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--days", "2009-01-01"), "2009-01-01 cannot be built: days run from 2010-01-01"),
        (("--select", "key:raw/userz"), "--select: 'raw/userz' names no asset that can be built: did you mean"),
    ],
)
def test_a_run_that_cannot_be_started_ends_in_one_sentence(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ended = call(tmp_path, "materialize", *arguments)

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"analytics-platform: {sentence}")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ("reference", "--out", "/dev/null/out"),
            "/dev/null/out cannot be used (Not a directory): choose another path",
        ),
        (("simulate", "--out", "/dev/null/out"), "/dev/null/out/exchange_rates cannot be used (Not a directory)"),
        (("dashboard", "--address", "no.such.host.example"), "--address no.such.host.example --port 8501 cannot be"),
    ],
)
def test_a_path_or_address_that_cannot_be_used_is_one_sentence(
    call: Call, tmp_path: Path, command: tuple[str, ...], sentence: str
) -> None:
    ended = call(tmp_path, *command)

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"analytics-platform: {sentence}")
    assert len(ended.stderr.splitlines()) == 1


def test_help_groups_the_commands_and_says_what_exit_codes_mean(call: Call, tmp_path: Path) -> None:
    text = call(tmp_path, "--help").stdout

    for words in ("Look", "Operate", "Set up", "Try it", "Exit codes", "status", "copy"):
        assert words in text


def test_status_imports_neither_dagster_nor_the_clients_of_sources() -> None:
    clients = {"dagster", "botocore", "httpx", "pymongo", "psycopg"}
    code = f"import sys, analytics_platform.cli.status; print({clients} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
