"""All models on 5 M events, contracts audited, against the same SQL as one script without checks.

`python -m benchmarks.models [--events 5000000]`. The baseline runs each model as `CREATE TABLE AS` on the whole
tables, in order, on one connection: no windows, no audit, no delete, no transaction. Both start from the same
loaded clickstream and lookups and must end with the same tables. Simulated input is kept in the folder `--folder`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import time
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.functions import macros
from analytics_platform.contracts.sql import quote_table
from analytics_platform.demo.simulator import simulate
from analytics_platform.transform import DayRange, all_models, build_order, plan
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.transform.model import Model, read_model
from analytics_platform.transform.source_events import events_within
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import Platform, load_files, open_platform
from benchmarks.report import Figure, report

FIRST = dt.date(2026, 3, 1)
DAYS = 25
EVENTS_PER_VISITOR_DAY = 6.2
"""What the simulator makes, about."""


def prepare(folder: Path, events: int) -> Platform:
    """A platform whose clickstream and lookups are loaded; made once."""
    platform = open_platform(folder / "loaded", partition_start=FIRST)
    if (folder / "ready").exists():
        return platform
    simulate(DAYS, round(events / DAYS / EVENTS_PER_VISITOR_DAY), 1, folder / "simulated", FIRST)
    with platform.session() as session:
        lacking = [name for name in build_order() if name not in all_models() or name == "cleaned.exchange_rates"]
        session.ensure(*(CONTRACTS[name] for name in lacking))
        load_files(platform, session, folder / "simulated" / "clickstream")
        for name, make in LOOKUPS.items():
            days = None if CONTRACTS[name].table.write == "whole" else whole_range()
            session.publish(CONTRACTS[name], make(session, days, platform.settings), days)
    (folder / "ready").touch()
    return platform


def whole_range() -> DayRange:
    """All simulated days."""
    return DayRange(FIRST, FIRST + dt.timedelta(days=DAYS - 1))


def models_in_order() -> list[str]:
    """The tables that are SQL models, inputs first."""
    return [name for name in build_order() if name in all_models()]


def with_sources_of(session: DuckDBSession, model: Model) -> Model:
    """The model for the sources that have rows, as the platform plans it."""
    return read_model(model.path, tuple(events_within(session, "TRUE"))) if model.reads_sources else model


def run_platform(session: DuckDBSession, platform: Platform) -> dict[str, float]:
    """Seconds per table, as the platform builds it: windows, delete, insert, audit, transaction."""
    taken = {}
    for name in models_in_order():
        days = None if CONTRACTS[name].table.write == "whole" else whole_range()
        started = time.perf_counter()
        query = plan(with_sources_of(session, all_models()[name]), days, platform.settings.model_values)
        publication = session.publish(CONTRACTS[name], query, days)
        taken[name] = time.perf_counter() - started
        if publication.breaches:
            raise SystemExit(f"{name}: {publication.breaches}")
    return taken


def run_baseline(session: DuckDBSession, platform: Platform) -> dict[str, float]:
    """Seconds per table as a plain `CREATE TABLE AS` of the model's SQL."""
    taken = {}
    days = whole_range()
    for statement in macros().values():
        session.connection.execute(statement)
    values = {**platform.settings.model_values, "first_day": days.first, "last_day": days.last}
    for name in models_in_order():
        model = with_sources_of(session, all_models()[name])
        bound = {parameter: values[parameter] for parameter in model.parameters}
        started = time.perf_counter()
        session.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
        session.connection.execute(f"CREATE OR REPLACE TABLE {quote_table(name)} AS {model.sql}", bound)
        taken[name] = time.perf_counter() - started
    return taken


def measure(folder: Path, platform: Platform, runs: int) -> tuple[dict[str, float], dict[str, float]]:
    """The fastest of `runs` for each way, each run on a fresh copy of the loaded warehouse, in turn."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(runs):
        for way, function in (("baseline", run_baseline), ("platform", run_platform)):
            copy = open_platform(folder / way, partition_start=FIRST)
            shutil.copy(platform.settings.warehouse_path, copy.settings.warehouse_path)
            with copy.session() as session:
                assert isinstance(session, DuckDBSession)
                session.connection.execute("CHECKPOINT")
                taken = function(session, copy)
            if way not in best or sum(taken.values()) < sum(best[way].values()):
                best[way] = taken
    return best["baseline"], best["platform"]


def differing_tables(folder: Path) -> list[str]:
    """Tables whose rows differ between the two warehouses."""
    platform, baseline = open_platform(folder / "platform"), open_platform(folder / "baseline")
    differing = []
    with platform.session() as session:
        assert isinstance(session, DuckDBSession)
        session.connection.execute(f"ATTACH '{baseline.settings.warehouse_path}' AS other (READ_ONLY)")
        for name in models_in_order():
            columns = ", ".join(CONTRACTS[name].columns)
            one, two = (f"SELECT {columns} FROM {prefix}{quote_table(name)}" for prefix in ("", "other."))
            (rows,) = session.rows(
                f"SELECT count(*) FROM (({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one}))"
            )
            if rows[0]:
                differing.append(name)
    return differing


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, default=Path("data/benchmarks/models"))
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    platform = prepare(options.folder, options.events)
    plain, published = measure(options.folder, platform, options.runs)
    with platform.session(read_only=True) as session:
        events = session.rows("SELECT count(*) FROM cleaned.clickstream")[0][0]
    figures = [
        Figure(name, int(str(events)), published[name], f"plain SQL {plain[name]:.2f} s") for name in models_in_order()
    ]
    total, own = sum(plain.values()), sum(published.values())
    figures.append(Figure("all models, plain SQL without checks", int(str(events)), total))
    figures.append(Figure("all models, audited and published", int(str(events)), own))
    differing = ", ".join(differing_tables(options.folder)) or "none"
    report("models", figures, {"platform / plain SQL": own / total}, {"tables that differ": differing, "days": DAYS})


if __name__ == "__main__":
    main()
