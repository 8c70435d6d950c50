"""The factory that turns a contract and a way to make its rows into an asset: write, audit, publish.

The dependencies come from the inputs, the partitions, checks and metadata from the contract. A broken rule is recorded
as a failed check, nothing is published, and the run stops.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import is_gated
from analytics_platform.contracts.ddl import table_doc
from analytics_platform.contracts.table import Days, Table
from analytics_platform.orchestration.assets.looks import looks
from analytics_platform.orchestration.assets.metadata import (
    GATED,
    WRITTEN_BY_LOADS,
    asset_key,
    columns_metadata,
    definition_metadata,
)
from analytics_platform.orchestration.checks.contract import contract_result, contract_spec, summary
from analytics_platform.orchestration.checks.error_rate import check_error_rate, error_rate_spec
from analytics_platform.orchestration.jobs import RANGE_END, RANGE_START, TOUCHED
from analytics_platform.orchestration.resources import WarehouseResource, warehouse_kind
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, all_models, day_ranges, reads_of, refreshed_days, window_of
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse import LEDGER_TABLES, Publication
from analytics_platform.warehouse.build import build_ranges
from analytics_platform.warehouse.ledger import record_results
from analytics_platform.warehouse.touched import Touched
from analytics_platform.warehouse.upgrade import check_current

POOL = "warehouse"
"""Guards the DuckDB file across runs: one writing process at a time."""


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Give one partition a day (UTC) from PARTITION_START to tomorrow, which events may be dated at most."""
    return dg.DailyPartitionsDefinition(start_date=settings.partition_start.isoformat(), end_offset=2)


def is_daily(table: Table) -> bool:
    """Tell whether the table's asset has a partition per day: all but those loaded by batch or built whole."""
    return table.write in ("days", "upsert")


def _dependency(table: Table, source: Table, settings: Settings) -> dg.AssetDep:
    """Give the dependency on an input; between daily assets with the window the contract gives."""
    reads = reads_of(table, source)
    if not (is_daily(table) and is_daily(source) and isinstance(reads, Days)):
        return dg.AssetDep(asset_key(source.name))
    before, after = window_of(reads, settings.model_values)
    mapping = dg.TimeWindowPartitionMapping(
        start_offset=-before, end_offset=after, allow_nonexistent_upstream_partitions=True
    )
    return dg.AssetDep(asset_key(source.name), partition_mapping=mapping)


def _dependencies(table: Table, inputs: Sequence[str], settings: Settings) -> list[dg.AssetDep]:
    # A table without inputs waits for the gates too: what a gate stops changes no table.
    waits = not inputs or not WRITTEN_BY_LOADS.isdisjoint(inputs)
    found = {name: dg.AssetDep(asset_key(name)) for name in (GATED if waits else ())}
    found |= {
        name: _dependency(table, CONTRACTS[name].table, settings) for name in inputs if name not in WRITTEN_BY_LOADS
    }
    for dimension in table.foreign_keys.values():
        found.setdefault(dimension, dg.AssetDep(asset_key(dimension)))
    return list(found.values())


def _to_build(name: str, asked: DayRange | None, touched: str | None, settings: Settings) -> Sequence[DayRange | None]:
    """Give the ranges of days of a table to publish when a run builds the days `asked`, of what is `touched`."""
    if asked is None:
        return [None]
    if touched is None:
        return [refreshed_days(name, asked, settings.model_values, settings.partition_start)]
    return list(day_ranges(Touched.read(touched, settings.model_values, asked).days_of(name)))


@lru_cache(maxsize=1)
def guards() -> Mapping[str, str]:
    """Map each table behind a gate to the one table that checks its error rate: others that read it wait for that one.

    It is a cleaned table that reads it, of several one that is built whole: that looks at all days.
    """
    readers = [(is_daily(CONTRACTS[name].table), name) for name in all_models() if name.startswith("cleaned.")]
    found: dict[str, str] = {}
    for _, name in sorted(readers):
        for source in all_models()[name].inputs:
            if is_gated(CONTRACTS[source]):
                found.setdefault(source, name)
    return found


def table_asset(name: str, inputs: Sequence[str], settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that fills the table `name` from `inputs`.

    A table that reads what a gate let through first checks the error rate of those sources on the days it builds, or
    waits for the table that does; not a lookup of distinct values: what is built from it does.
    """
    contract = CONTRACTS[name]
    table, key = contract.table, asset_key(name)
    guarded_by = {} if name in LOOKUPS else {source: guards()[source] for source in inputs if source in guards()}
    gated = {CONTRACTS[source].table.source for source, guard in guarded_by.items() if guard == name}
    waits_for = {*guarded_by.values()} - {name}
    specs = [*([error_rate_spec(key)] if gated else []), contract_spec(key)]

    @dg.asset(
        key=key,
        description=table_doc(contract),
        deps=_dependencies(table, [*inputs, *sorted(waits_for)], settings),
        partitions_def=daily_partitions(settings) if is_daily(table) else None,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=table.layer,
        owners=[table.owner],
        kinds={warehouse_kind(settings), "sql" if name in all_models() else "python"},
        tags={"layer": table.layer, **table.tags},
        metadata=definition_metadata(contract),
        check_specs=specs,
        pool=POOL,
    )
    def build(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[WarehouseResource],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        built = context.partition_key_range if is_daily(table) else None
        asked = built and DayRange.parse(f"{built.start}...{built.end}")
        with warehouse.session() as session:
            # It would be extended by columns, of which the days that this run does not build have no values.
            check_current(session, {name, *inputs})
            session.ensure(*LEDGER_TABLES, contract, *(CONTRACTS[source] for source in inputs))
            if gated:
                result, stop = check_error_rate(session, key, settings.max_error_rate, gated, asked)
                yield result
                if stop:
                    raise dg.Failure(stop, allow_retries=False)
            publication, sql = Publication(0, (), changed=False), ""
            ranges = _to_build(name, asked, context.run.tags.get(TOUCHED), settings)
            for built in build_ranges(session, name, ranges, settings):
                record_results(session, name, built.publication.results, built.days, context.run_id)
                publication, sql = publication + built.publication, built.sql
            seen = {} if publication.breaches else looks(session, name)
        again = str(asked or "...".join(filter(None, map(context.run.tags.get, (RANGE_START, RANGE_END)))))
        yield contract_result(key, publication.results, sql, again)
        if publication.breaches:
            raise dg.Failure(
                f"{name} was not published, rows break its contract ({summary(publication.breaches)}). "
                "The check contract shows sample rows.",
                allow_retries=False,
            )
        metadata: dict[str, dg.MetadataValue] = {"dagster/row_count": dg.MetadataValue.int(publication.rows)}
        shown = columns_metadata(contract) | seen
        if asked and asked.first != asked.last:
            # Dagster stores an event for each day, and the UI shows the columns of the latest one. With them in every
            # event the history of the demo, 35 days, was 177 MB in place of 67, and it took a sixth more CPU.
            context.add_asset_metadata(shown, partition_key=f"{asked.last}")
        else:
            metadata |= shown
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return build
