"""The cleaned layer that is not SQL: the gate of each source, and the lookups that Python makes."""

from collections.abc import Iterator

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import table_doc
from analytics_platform.errors import count
from analytics_platform.lake import Batch, Lake
from analytics_platform.orchestration.assets.looks import preview
from analytics_platform.orchestration.assets.metadata import asset_key, column_schema, definition_metadata, lineage_of
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.orchestration.assets.tables import POOL, table_asset
from analytics_platform.orchestration.checks.error_rate import check_error_rate, error_rate_spec
from analytics_platform.orchestration.checks.files import BATCHES_LOADED, find_unloaded, lines_of
from analytics_platform.orchestration.checks.gate import count_reasons, quarantine_result, quarantine_spec
from analytics_platform.orchestration.resources import WarehouseResource, warehouse_kind
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Source
from analytics_platform.transform.lookups.tables import LOOKUPS, tables_with
from analytics_platform.warehouse import Loaded, Session
from analytics_platform.warehouse.ledger import damaged_batches, record_results
from analytics_platform.warehouse.load import SMALL_BYTES, TOGETHER, load_new_batches
from analytics_platform.warehouse.session import DamageError
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import days_to_build


def gate_asset(source: Source, settings: Settings) -> dg.AssetsDefinition:
    """The asset that puts a source's new batches through the gate, and stops the run if too many rows were rejected."""
    contract, table = source.contract, source.contract.table
    key = asset_key(table.name)

    @dg.asset(
        key=key,
        description=table_doc(contract),
        deps=[raw_key(source)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=table.layer,
        owners=[table.owner],
        kinds={warehouse_kind(settings), "pandera"},
        tags={"layer": table.layer},
        metadata=definition_metadata(contract),
        check_specs=[error_rate_spec(key), quarantine_spec(key, source)],
        pool=POOL,
    )
    def load(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        lake: dg.ResourceParam[Lake],
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        with warehouse.session() as session:
            session.ensure(contract)
            new = list(_load(context, source, session, settings, lake))
            inputs = {batch.name for batch, _ in new}
            written = write_spreadsheets(session, settings.quarantine_dir, context.log.warning, inputs, source.name)
            verdict, stop = check_error_rate(session, key, settings.max_error_rate, {source.name})
            yield verdict
            read = sum(loaded.rows_read for _, loaded in new)
            reasons = count_reasons(session, source, [batch.batch_id for batch, _ in new], read)
            if new:
                record_results(session, table.name, reasons, None, context.run_id)
            yield quarantine_result(session, key, source, reasons, {batch.batch_id: loaded for batch, loaded in new})
            metadata = _metadata(contract, new, session, settings)
            unloaded = find_unloaded(session, source)
        if stop:  # the check batches_loaded does not run then
            raise dg.Failure("\n".join([stop, *lines_of(BATCHES_LOADED, unloaded)]), allow_retries=False)
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={**metadata, "quarantine files": dg.MetadataValue.text("\n".join(map(str, written)) or "none")},
        )

    return load


def _load(
    context: dg.AssetExecutionContext, source: Source, session: Session, settings: Settings, lake: Lake
) -> Iterator[tuple[Batch, Loaded]]:
    """Load the new batches, and log where the rows of each ended; files without any, and damaged ones, as warnings."""
    lines = list[str]()
    for batch, loaded in load_new_batches(source, session, settings, lake, context.run_id):
        lines.append(
            f"{batch.name}: {count(loaded.rows_read, 'row')} read = {loaded.rows_accepted:,} accepted "
            f"+ {loaded.rows_duplicate:,} duplicate + {loaded.rows_quarantined:,} quarantined"
        )
        # An entry of the log costs Dagster about as much as a small file: many files share one.
        if batch.size > SMALL_BYTES or len(lines) == TOGETHER:
            context.log.info("\n".join(lines))
            lines.clear()
        if not loaded.rows_read and source.format.takes(batch.name):
            remedy = "if it should have some, export it again and drop it under the same name"
            context.log.warning(
                f"{source.name}/{batch.name} is an empty delivery ({batch.size} bytes, no row): {remedy}."
            )
        yield batch, loaded
    if lines:
        context.log.info("\n".join(lines))
    for sentence in damaged_batches(session, lake, [source.name]):
        context.log.warning(sentence)


def _metadata(
    contract: ContractType, new: list[tuple[Batch, Loaded]], session: Session, settings: Settings
) -> dict[str, dg.MetadataValue]:
    name = contract.table.name
    rows = session.count(name)
    try:
        to_build = days_to_build(session, [batch.batch_id for batch, _ in new], settings)
    except DamageError as error:  # of a table that is built: its own step fails with it
        to_build = f"not known, {error.seen}"
    return {
        "dagster/row_count": dg.MetadataValue.int(rows),
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(contract)),
        "dagster/column_lineage": dg.MetadataValue.column_lineage(lineage_of(name)),
        "new batches": dg.MetadataValue.int(len(new)),
        "days to build": dg.MetadataValue.text(to_build or "none"),
        "preview": preview(session, name),
        "new rows": dg.MetadataValue.int(sum(loaded.rows_accepted for _, loaded in new)),
    }


def lookup_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets that take distinct values apart, and the list of known traffic sources."""
    columns = {
        "cleaned.urls": ("page_url", "referrer"),
        "cleaned.user_agents": ("user_agent",),
        "cleaned.daily_rates": ("currency", "items_json"),
    }

    inputs = {name: (*tables_with(*columns.get(name, ())), *CONTRACTS[name].table.reads) for name in LOOKUPS}
    return [table_asset(name, read, settings) for name, read in inputs.items()]
