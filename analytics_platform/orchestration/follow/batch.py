"""The job `follow`: loads what arrived and builds the tables it touches, in one step that is one run.

It does what the runs of the full lane do, by the same functions. What differs: all tables are published in one
transaction, and a run has at most `MOST_EVENTS` events, however many tables there are.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import dagster as dg
from pydantic import Field

from analytics_platform.catalog import CONTRACTS
from analytics_platform.lake import Lake
from analytics_platform.orchestration.assets.metadata import asset_key
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.orchestration.checks.contract import contract_result, summary
from analytics_platform.orchestration.checks.error_rate import check_error_rate
from analytics_platform.orchestration.checks.files import (
    BATCHES_LOADED,
    FILES_READABLE,
    describe_unreadable,
    find_unloaded,
)
from analytics_platform.orchestration.checks.gate import count_reasons, quarantine_result
from analytics_platform.orchestration.jobs import BUILT_UP_TO, FOLLOW, FOLLOWED_UP_TO
from analytics_platform.orchestration.resources import WarehouseResource
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Source
from analytics_platform.transform import DayRange, Keys, day_ranges
from analytics_platform.warehouse import LEDGER_TABLES, Loaded, Publication, Session, open_warehouse
from analytics_platform.warehouse.build import Built, build_ranges, inputs_of, is_as_before, summaries, tables_to_build
from analytics_platform.warehouse.error_rate import find_breaches
from analytics_platform.warehouse.ledger import known_batches, loadings, record_results
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.narrow import keys_of
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import BUILT, Touched, batches_not_built, touched_after

MOST_EVENTS = 100
"""The most events of a run: each is stored one by one."""

OWN_EVENTS = 14
"""Events that Dagster itself adds to a run of one step, at most."""

OVERLAP = dt.timedelta(minutes=1)
"""On PostgreSQL batches that ended this long before the mark are looked at again if another process loaded them: such
a one may be seen later than one that ended after it. A DuckDB file has one writer."""

Event: TypeAlias = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation


class BatchConfig(dg.Config):
    """What a run takes: SHA-256 of batches in the lake by source; without `batches` all that were not loaded yet.

    It builds what was loaded after `followed_up_to`, which sorts as the ledger does; `with_summaries` also the
    summaries, which are built up to `built_up_to`, as all is without the other mark. `failed` are tables with a check
    that failed last.
    """

    batches: dict[str, list[str]] | None = None
    built_up_to: str = ""
    followed_up_to: str = ""
    with_summaries: bool = True
    failed: list[str] = Field(default_factory=list)


class _BreachError(Exception):
    """Rows of a table break its contract: nothing of the batch is published."""


@dg.op(description="Load what arrived, and build the days of each table that it touches, in one transaction.")
def follow_batch(
    context: dg.OpExecutionContext,
    config: BatchConfig,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    warehouse: dg.ResourceParam[WarehouseResource],
) -> Iterator[Event | dg.Output[None]]:
    """Yield what became of the batches, then of the tables; fails if too many rows or a contract are broken."""
    with warehouse.session() as session:
        session.ensure(*CONTRACTS.values())
        count = 0
        for event in _load(session, settings, lake, config, context.run_id):
            count += 1
            yield event
        yield from _stop_if_rejected(session, settings, config.failed)
        since = config.followed_up_to or config.built_up_to
        touched, ids, last = _touched(session, settings, since, context.instance)
        parts = _parts(touched, summed=False)
        if config.with_summaries:
            # Up to a mark of their own: to build the other tables again for all of a minute took up to five seconds.
            behind = since != config.built_up_to
            of_all = _touched(session, settings, config.built_up_to, context.instance)[0] if behind else touched
            parts |= _parts(of_all, summed=True)
        if parts:
            # Without a mark it is not known that all but these batches is built.
            keys = keys_of(session, ids) if since else None
            changed = _changed(session, ids) if config.followed_up_to else None
            built, broken = _build(session, settings, parts, changed, keys)
            _record(session, built, context.run_id)
            rows = "dagster/row_count" if keys is None else "rows published"  # of a part of the keys
            yield from _events(built, config.failed, MOST_EVENTS - OWN_EVENTS - count, rows)
            if broken:
                results = built[broken][-1].publication.breaches
                words = f"{broken} was not published, nor anything of this batch: rows break its contract"
                raise dg.Failure(f"{words} ({summary(results)}). The check contract has rows.", allow_retries=False)
    built_up_to = last if config.with_summaries else config.built_up_to
    context.instance.add_run_tags(context.run_id, {BUILT_UP_TO: built_up_to, FOLLOWED_UP_TO: last})
    yield dg.Output(None)


def has_work(settings: Settings, lake: Lake, built_up_to: str) -> bool:
    """Return whether something is in the lake and not loaded, or loaded and not built."""
    with open_warehouse(settings).session() as session:
        session.ensure(*CONTRACTS.values())
        known, stored = known_batches(session), (batch for source in SOURCES for batch in lake.batches(source))
        if any(batch.batch_id not in known for batch in stored):
            return True
        *_, last = _touched(session, settings, built_up_to, None)
        return last > built_up_to if built_up_to else bool(batches_not_built(session, settings))


def _load(session: Session, settings: Settings, lake: Lake, config: BatchConfig, run_id: str) -> Iterator[Event]:
    """Load batches, and tell of each source that has some how many rows came."""
    for source in SOURCES.values():
        chosen = None if config.batches is None else config.batches.get(source.name)
        if config.batches is not None and chosen is None:
            continue
        found = (lake.batch_with(source.name, content) for content in chosen or ())
        among = None if chosen is None else [batch for batch in found if batch is not None]
        new = dict(load_new_batches(source, session, settings, lake, run_id, among=among))
        if new:
            yield dg.AssetMaterialization(raw_key(source), metadata={"new batches": len(new)})
            yield from _of_gate(session, settings, source, {each.batch_id: new[each] for each in new}, run_id)
        if any(loaded.rows_quarantined for loaded in new.values()):
            said = list[str]()
            write_spreadsheets(session, settings.quarantine_dir, said.append, {batch.name for batch in new})
            # The lane prints observations itself: it reads no log of a run.
            yield from (dg.AssetObservation(asset_key(source.contract.table.name), each) for each in said)
        if unloaded := find_unloaded(session, source):
            yield _found_bad(asset_key(source.contract.table.name), BATCHES_LOADED, unloaded)
        if source.format.suffixes and chosen is not None:
            yield _found_bad(raw_key(source), FILES_READABLE, describe_unreadable(source, settings, lake))


def _of_gate(
    session: Session, settings: Settings, source: Source, new: Mapping[str, Loaded], run_id: str
) -> Iterator[Event]:
    """Tell what the gate accepted of new batches, and what it rejected."""
    table = source.contract.table.name
    figures = {"new rows": sum(each.rows_accepted for each in new.values()), "new batches": len(new)}
    yield dg.AssetMaterialization(asset_key(table), metadata=figures)
    if any(each.rows_quarantined or each.id_reused for each in new.values()):
        reasons = count_reasons(session, source, list(new), sum(each.rows_read for each in new.values()))
        record_results(session, table, reasons, None, run_id)
        yield _evaluation(quarantine_result(session, asset_key(table), source, reasons, new))


def _found_bad(key: dg.AssetKey, check: str, bad: Mapping[str, str]) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(key, check, not bad, dict(bad), description="\n".join(bad.values()) or None)


def _stop_if_rejected(session: Session, settings: Settings, failed: Sequence[str]) -> Iterator[Event]:
    """Fail if a batch or a day has more rejected rows than the threshold: nothing is built then."""
    stops, above = [], {breach.source for breach in find_breaches(session, settings.max_error_rate)}
    for name, source in SOURCES.items():
        table = source.contract.table.name
        if name in above or table in failed:
            result, stop = check_error_rate(session, asset_key(table), settings.max_error_rate, {name})
            yield _evaluation(result)
            stops += [stop] if stop else []
    if stops:
        raise dg.Failure("\n".join(stops), allow_retries=False)


def _touched(
    session: Session, settings: Settings, built_up_to: str, instance: dg.DagsterInstance | None
) -> tuple[Touched | None, list[str], str]:
    """Find what the batches touch that were loaded after the mark, these batches, and the place of the last of them."""
    if not built_up_to:
        ids, new = batches_not_built(session, settings), loadings(session)
    else:
        mark = dt.datetime.fromisoformat(f"{built_up_to.split()[0]}+00:00")
        new = loadings(session, mark - OVERLAP if settings.takes_several_runs else mark)
        ends, other = dict[str, str](), "" if settings.takes_several_runs else built_up_to
        if instance and settings.takes_several_runs and new:
            # A lane loads one batch after the other: what a run of it loaded is built up to where that run stood.
            asked = dg.RunsFilter(run_ids=[each.run_id for each in new], job_name=FOLLOW)
            ends = {run.run_id: run.tags.get(FOLLOWED_UP_TO, "") for run in instance.get_runs(asked)}
        new = [each for each in new if each.place > min(built_up_to, ends.get(each.run_id, other))]
        ids = [each.batch_id for each in new]
    return touched_after(session, ids, settings), ids, max((each.place for each in new), default=built_up_to)


def _changed(session: Session, ids: Sequence[str]) -> set[str] | None:
    """Return the tables that these loads have changed; None if one of them took a batch out, which may change any."""
    sql = "SELECT source, count(*) FROM ops.pipeline_logs WHERE list_contains($batches, batch_id) GROUP BY source"
    found = dict(session.rows(sql, {"batches": list(ids)}))
    if sum(found.values()) < len(ids):
        return None
    return {SOURCES[name].contract.table.name for name in found} | {each.table.name for each in LEDGER_TABLES}


def _parts(touched: Touched | None, summed: bool) -> dict[str, list[DayRange | None]]:
    """Give the ranges of days to build of the summaries, or of the other tables."""
    if touched is None:
        return {}
    return {
        name: [None] if CONTRACTS[name].table.write == "whole" else [*day_ranges(touched.days_of(name))]
        for name in tables_to_build()
        if (name in summaries()) == summed
    }


def _build(
    session: Session,
    settings: Settings,
    parts: Mapping[str, Sequence[DayRange | None]],
    changed: set[str] | None,
    keys: Keys | None,
) -> tuple[dict[str, list[Built]], str]:
    """Build tables in one transaction. Returns what was built, and the table whose contract broke, if one did.

    Given which tables have `changed`, those that are made from others are as they were, summaries aside, which earlier
    batches left out: nothing is built of them. Given `keys`, only rows of these are built, but for tables made from one
    in which others may have changed.
    """
    built: dict[str, list[Built]] = {}
    reach_others = set[str]()
    try:
        with session.transaction(publishing=[(name, days) for name, ranges in parts.items() for days in ranges]):
            for name, ranges in parts.items():
                built[name] = []
                if changed is not None and name not in summaries() and is_as_before(name, changed):
                    continue
                is_narrow = keys is not None and reach_others.isdisjoint(inputs_of(name))
                built[name] = list(build_ranges(session, name, ranges, settings, keys if is_narrow else None))
                if any(part.publication.breaches for part in built[name]):
                    raise _BreachError(name)
                if changed is not None and any(part.publication.changed for part in built[name]):
                    changed.add(name)
                if not is_narrow or any(part.reaches_others for part in built[name]):
                    reach_others.add(name)
    except _BreachError as error:
        return {str(error): built[str(error)]}, str(error)
    return built, ""


def _record(session: Session, built: Mapping[str, Sequence[Built]], run_id: str) -> None:
    """Record which rules were broken, and which days are built. All rules would be a million rows in an hour."""
    for name, parts in built.items():
        for each in parts:
            results = [result for result in each.publication.results if not result.passed or name == BUILT]
            record_results(session, name, results, each.days, run_id)


def _events(built: Mapping[str, Sequence[Built]], failed: Sequence[str], most: int, rows: str) -> Iterator[Event]:
    """Tell of each table how many rows were published (metadata `rows`), and how they did against its contract.

    There may be more tables than events: checks of tables that break a rule come first, then of those that did last
    time. A table with the same rows as before is named only where the UI would show it as older than its inputs.
    """
    checks, told = [], set[str]()
    for name, parts in built.items():
        key, whole = asset_key(name), sum((each.publication for each in parts), Publication(0, (), changed=False))
        is_fine = all(result.passed for result in whole.results)
        if not parts or (is_fine and not whole.changed and name not in failed):
            if not told.isdisjoint({*inputs_of(name), *CONTRACTS[name].table.foreign_keys.values()}):
                told.add(name)
                yield dg.AssetMaterialization(key, metadata={"days": "as before"})
            continue
        told.add(name)
        last = parts[-1]
        if not whole.breaches:
            days, partition = (
                " ".join(str(each.days or "all") for each in parts),
                str(last.days.last) if last.days else None,
            )
            metadata = {rows: dg.IntMetadataValue(whole.rows), "days": dg.TextMetadataValue(days)}
            yield dg.AssetMaterialization(key, metadata=metadata, partition=partition)
        checks.append((name, contract_result(key, whole.results, last.sql)))
    checks.sort(key=lambda each: (each[1].passed, each[0] not in failed))
    yield from (_evaluation(check) for _, check in checks[: max(most - len(told), 1)])


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.asset_key is not None and result.check_name is not None
    return dg.AssetCheckEvaluation(
        result.asset_key,
        result.check_name,
        result.passed,
        result.metadata,
        severity=result.severity,
        description=result.description,
    )


@dg.job(name=FOLLOW, description="One batch of the fast lane (`analytics-platform follow`): load and build at once.")
def follow() -> None:
    """One step."""
    follow_batch()
