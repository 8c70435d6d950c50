"""What each check tells people to do clears it, word by word.

A case says how a check comes to fail, what it says then, and what a person does beside the commands. The commands are
those of the sentence. `materialize` lands and loads as the command does and builds what the check reads, without
Dagster's record of the run.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import dagster as dg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.orchestration import build as definitions
from analytics_platform.orchestration import launch
from analytics_platform.orchestration.checks.contract import contract_result
from analytics_platform.orchestration.checks.error_rate import check_error_rate
from analytics_platform.orchestration.checks.files import batches_loaded_check, files_readable_check
from analytics_platform.orchestration.checks.gate import count_reasons, quarantine_result
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange, Query, all_models, plan
from analytics_platform.warehouse import Loaded, Publication, Session, watchdog
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.silence import has_every_source
from analytics_platform.warehouse.touched import days_to_build
from analytics_platform_tests.cli.conftest import Call, call
from analytics_platform_tests.kit import (
    Platform,
    Row,
    build,
    click,
    load_rows,
    loaded_days,
    needed,
    open_platform,
    open_with_tables,
    to_csv,
)
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.shop_logs import log, put_logs, put_users, user
from analytics_platform_tests.shop_rows import load_shop, order
from analytics_platform_tests.test_definitions import SNAPSHOT

__all__ = ["call"]

CHECKS = sorted({check for checks in json.loads(SNAPSHOT.read_text("utf-8"))["assets"].values() for check in checks})
NEVER_FAIL = {"event_names", "fields", "sessions"}
LAST, TREND = dt.date(2026, 3, 6), "marts.daily_trends"
SOURCE = SOURCES[CLICKSTREAM]

Environment: TypeAlias = Mapping[str, str]
Say: TypeAlias = Callable[[Platform], str | None]


def nothing(platform: Platform) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Case:
    """What a check says (None: nothing), and which `tables` it reads.

    It fails once what must `arrive` is loaded and built, or after something else must `fail`. What a person does to
    `mend` that may return changed settings. Commands of the sentence that are other ways are not followed.
    """

    say: Say
    tables: tuple[str, ...] = ()
    arrive: Callable[[Platform], object] = nothing
    fail: Callable[[Platform], object] = nothing
    mend: Callable[[Platform], object] = nothing
    others: tuple[str, ...] = ()


def viewed(day: int, number: int, name: str = "page_viewed", **columns: object) -> Row:
    """A page view or another event of March."""
    return click(f"c{number}", dt.datetime(2026, 3, day, 9, number, tzinfo=dt.UTC), name, **columns)


def bought(day: int, transaction: str, **data: object) -> Row:
    order = {"transaction_id": transaction, "revenue": "5", **data}
    return click("ada", dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC), "checkout_completed", data=order)


ROWS = [viewed(day, number) for day in range(1, 7) for number in range(6)]


def dropped(name: str, *rows: Row) -> Callable[[Platform], None]:
    """A file with these rows is dropped."""

    def drop(platform: Platform) -> None:
        platform.landing.joinpath(name).write_text(to_csv(rows), "utf-8")

    return drop


def executed(sql: str) -> Callable[[Platform], None]:
    """Somebody changes rows by hand."""

    def change(platform: Platform) -> None:
        with platform.session() as session:
            session.execute(sql)

    return change


def observed(question: Callable[[Session, Settings, dt.datetime], watchdog.Observation]) -> Say:
    """What the watchdog says to a question."""

    def say(platform: Platform) -> str | None:
        with platform.session(read_only=True) as session:
            seen = question(session, platform.settings, dt.datetime.now(dt.UTC))
        return None if seen.passed else seen.remedy

    return say


def failure(check: dg.AssetChecksDefinition) -> Say:
    """What a check ends a run with."""

    def say(platform: Platform) -> str | None:
        results = check(settings=platform.settings, lake=platform.lake, warehouse=platform)
        try:
            assert len(list(results)) == 1  # type: ignore[call-overload]
        except dg.Failure as error:
            return error.description
        return None

    return say


def metadata_of(platform: Platform, name: str = "first.csv") -> Path:
    (batch,) = (each for each in platform.lake.batches(CLICKSTREAM) if each.name == name)
    return batch.path.with_name(f"_{batch.content_sha256}.json")


def put_damaged(platform: Platform) -> None:
    """A file is damaged in the lake before it can be loaded."""
    dropped("second.csv", viewed(6, 50))(platform)
    land_files(SOURCE, platform.settings, platform.lake)
    metadata_of(platform, "second.csv").unlink()
    platform.landing.joinpath("second.csv").unlink()
    run((), None, platform.settings, "*", None, False)


def error_rate(platform: Platform) -> str | None:
    with platform.session() as session:
        allowed = platform.settings.max_error_rate
        return check_error_rate(session, dg.AssetKey("x"), allowed, {CLICKSTREAM})[1]


def quarantine(platform: Platform) -> str | None:
    """What the check says of a run that loaded all batches as they are now."""
    with platform.session() as session:
        counts = "batch_id, rows_accepted, rows_duplicate, rows_quarantined, id_reused"
        new = {batch: Loaded(*rows) for batch, *rows in session.rows(f"SELECT {counts} FROM ops.pipeline_logs")}
        reasons = count_reasons(session, SOURCE, list(new), sum(each.rows_read for each in new.values()))
        found = quarantine_result(session, dg.AssetKey("x"), SOURCE, reasons, new)
    meanings = [name for name in ("what to do", "what an id used again means") if name in found.metadata]
    return None if found.passed else " ".join(str(found.metadata[name].value) for name in meanings)


published: dict[str, Publication] = {}
"""Table → how its last publication ended; it may have been stopped."""


def publish_broken(platform: Platform) -> None:
    """A model makes a row that breaks the contract of its table."""
    made = plan(all_models()[TREND], DayRange(LAST, LAST), platform.settings.model_values)
    broken = Query(f"SELECT * REPLACE (-1 AS sessions) FROM ({made.sql})", made.parameters, made.inputs)
    with platform.session() as session:
        published[TREND] = session.publish(CONTRACTS[TREND], broken, DayRange(LAST, LAST))


def contract(platform: Platform) -> str | None:
    results = published[TREND].results if TREND in published else ()
    found = contract_result(dg.AssetKey(TREND.split(".")), results, "", f"{LAST}...{LAST}")
    return None if found.passed else str(found.metadata["what to do"].value)


def order_in_shop(platform: Platform) -> None:
    """The shop's database has an order that no event tells of."""
    with platform.session() as session:
        load_shop(platform, session, "orders", [order(1, "ada/T1", 1, dt.datetime(2026, 3, 6, 12, tzinfo=dt.UTC))])


def log_of_unknown_user(platform: Platform) -> None:
    put_logs(platform, [log(7, dt.datetime(2026, 3, 6, 9)), log(8, dt.datetime(2026, 3, 6, 9))])
    put_users(platform, user(7))


def give_rates(platform: Platform) -> Environment:
    folder = platform.settings.landing_dir / "exchange_rates"
    folder.mkdir()
    folder.joinpath("march.csv").write_text("date,currency,rate\n2026-03-06,EUR,1\n2026-03-06,JPY,160\n", "utf-8")
    return {"SHOP_CURRENCY": "EUR"}


EARLY = [click("ada", f"2026-01-01T10:{number:02}:00Z") for number in range(60)]
"""Rows before the first partition: all are rejected."""

CASES: Mapping[str, Case] = {
    "batches": Case(
        observed(watchdog.has_every_batch),
        fail=lambda platform: metadata_of(platform).unlink(),
        mend=dropped("first.csv", *ROWS),
    ),
    "batches_loaded": Case(
        failure(batches_loaded_check(SOURCE)),
        fail=put_damaged,
        mend=dropped("second.csv", viewed(6, 50)),
        others=("withdraw",),
    ),
    "conservation": Case(
        observed(watchdog.is_conserved), fail=executed("DELETE FROM cleaned.clickstream WHERE client_id = 'c1'")
    ),
    "contract": Case(contract, (TREND,), fail=publish_broken),
    "currency": Case(
        observed(watchdog.has_known_currencies),
        ("cleaned.daily_rates",),
        dropped("orders.csv", *(bought(6, money, currency=money) for money in ("EUR", "JPY"))),
        mend=give_rates,
    ),
    "error_rate": Case(
        error_rate,
        arrive=dropped("old.csv", *EARLY),
        mend=dropped("old.csv", *(viewed(6, number) for number in range(50))),
        others=("replay", "withdraw", "accept"),
    ),
    "event_names": Case(
        observed(watchdog.has_known_event_names), ("cleaned.events",), dropped("rare.csv", viewed(6, 50, "teleported"))
    ),
    "fields": Case(
        observed(watchdog.has_read_fields), arrive=dropped("rare.csv", viewed(6, 50, data={"mood": "curious"}))
    ),
    "files_readable": Case(
        failure(files_readable_check(SOURCE)),
        fail=lambda platform: platform.landing.joinpath("wrong.csv").write_text("a,b\n1,2\n", "utf-8"),
        mend=dropped("wrong.csv", viewed(6, 50)),
    ),
    "fresh": Case(
        observed(watchdog.is_fresh),
        fail=executed("UPDATE ops.pipeline_logs SET arrived_at = arrived_at - INTERVAL 3 DAY"),
        mend=dropped("new.csv", viewed(6, 50)),
    ),
    "incremental": Case(
        observed(watchdog.is_as_if_built_at_once),
        tuple(all_models()),
        fail=executed("UPDATE star.fact_events SET event_name = 'other'"),
    ),
    "orders": Case(
        observed(watchdog.has_the_shops_orders),
        ("marts.order_reconciliation",),
        order_in_shop,
        mend=dropped("T1.csv", bought(6, "T1")),
    ),
    "orphans": Case(
        observed(watchdog.has_few_orphans),
        ("ops.orphans",),
        log_of_unknown_user,
        mend=lambda platform: put_users(platform, user(7), user(8)),
    ),
    "own_domains": Case(
        observed(watchdog.has_own_domains),
        ("cleaned.events",),
        dropped(
            "relative.csv",
            *(viewed(20, 1, page_url="/desk", referrer=f"https://{x}/") for x in ("shop.example", "a.b")),
        ),
        mend=lambda platform: {"OWN_DOMAINS": "shop.example"},
    ),
    "quarantine": Case(
        quarantine, arrive=dropped("old.csv", *EARLY), mend=lambda platform: {"PARTITION_START": "2026-01-01"}
    ),
    "quarantine, ids used again": Case(
        quarantine,
        arrive=dropped("ids.csv", *(viewed(6, number, event_id="7") for number in (50, 51))),
        mend=dropped("ids.csv", *(viewed(6, number, event_id=number) for number in (50, 51))),
    ),
    "revenue": Case(
        observed(watchdog.has_revenue),
        (TREND,),
        dropped("orders.csv", bought(1, "T1"), viewed(20, 1)),
        mend=dropped("orders again.csv", bought(20, "T2")),
    ),
    "sources": Case(
        observed(has_every_source),
        arrive=lambda platform: put_logs(platform, [log(7, dt.datetime(2026, 3, day, 9)) for day in range(7, 11)]),
        mend=dropped("late.csv", *(viewed(day, 1) for day in range(7, 10))),
    ),
    "sessions": Case(observed(watchdog.has_the_sources_sessions), ("sessionized.session_events",)),
    "volume": Case(
        observed(watchdog.has_usual_volume),
        ("star.fact_events",),
        dropped("next.csv", viewed(7, 1), viewed(8, 1)),
        mend=dropped("missing.csv", *(viewed(7, number) for number in range(6))),
    ),
    "volume, too much": Case(
        observed(watchdog.has_usual_volume),
        ("star.fact_events",),
        dropped("twice.csv", *(viewed(7, number) for number in range(40)), viewed(8, 1)),
    ),
}


def run(tables: tuple[str, ...], made: object, settings: Settings, select: str, days: str | None, debug: bool) -> bool:
    """Do what `materialize` does for these tables, in one process and without a record of the run."""
    given = {name: value for name, value in settings if name != "data_dir"}
    platform = open_platform(settings.data_dir, **given)
    with platform.session() as session:
        for source in SOURCES.values():
            if source.format.suffixes:
                land_files(source, settings, platform.lake)
            list(load_new_batches(source, session, settings, platform.lake, "test"))
        batches = [batch for (batch,) in session.rows("SELECT DISTINCT batch_id FROM ops.batch_days")]
        wanted = days or days_to_build(session, batches, settings)
        published.update(build(session, DayRange.parse(wanted), settings, needed(*tables)))
    return True


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of six views each, loaded and built."""
    platform = open_with_tables(tmp_path_factory.mktemp("built") / "data", partition_start=dt.date(2026, 2, 1))
    with platform.session() as session:
        load_rows(platform, session, ROWS, "first.csv")
        build(session, loaded_days(session), platform.settings)
    return platform.settings.data_dir


@pytest.mark.parametrize("check", sorted({*CHECKS, *CASES}))
def test_what_a_check_says_clears_it(
    call: Call, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    assert check in CASES, f"say in CASES how the check {check} comes to fail and how what it says clears it"
    case, environment = CASES[check], {"PARTITION_START": "2026-02-01", "EXPECTS_ORDERS": "false"}
    monkeypatch.setattr(launch, "materialize", partial(run, case.tables))
    monkeypatch.setattr(definitions, "build_definitions", lambda settings: None)
    folder = Path(shutil.copytree(built, tmp_path / "data"))
    platform = open_platform(folder, **{name.lower(): value for name, value in environment.items()})
    published.clear()
    assert case.say(platform) is None
    case.arrive(platform)
    if case.arrive is not nothing:
        run(case.tables, None, platform.settings, "*", None, False)
    case.fail(platform)
    sentence = case.say(platform)
    if check in NEVER_FAIL:
        assert sentence is None
        return
    assert sentence and sentence.isprintable() and sentence.endswith(".")
    if isinstance(changed := case.mend(platform), dict):
        environment |= changed
    commands = [shlex.split(words) for words in re.findall("`analytics-platform ([^`]+)`", sentence)]
    followed = [words for words in commands if words[0] not in case.others]
    assert followed and {words[0] for words in commands} >= set(case.others)
    for words in followed:
        ended = call(folder, *words, **environment)
        assert (ended.returncode, ended.stderr) == (0, ""), words
    assert case.say(open_platform(folder, **{name.lower(): value for name, value in environment.items()})) is None


def test_a_shop_with_traffic_and_no_order_ever_is_told_so_until_it_has_one_or_expects_none(
    built: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(built, tmp_path / "data"))
    platform, say = open_platform(folder, partition_start="2026-02-01"), observed(watchdog.has_revenue)
    sentence = say(platform)
    assert sentence and "analytics-platform materialize`" in sentence and "EXPECTS_ORDERS=false" in sentence
    assert say(open_platform(folder, expects_orders=False)) is None
    dropped("orders.csv", bought(6, "T1"))(platform)
    run((TREND,), None, platform.settings, "*", None, False)
    assert say(platform) is None
