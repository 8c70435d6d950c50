"""The cleaned layer that is not SQL: the gate, and the lookups that Python makes."""

from collections.abc import Iterator

import dagster as dg

from analytics_platform.assets.metadata import asset_key, column_schema, definition_metadata, lineage_of
from analytics_platform.assets.raw import RAW_CLICKSTREAM
from analytics_platform.assets.resources import WarehouseResource
from analytics_platform.assets.tables import POOL, table_asset
from analytics_platform.checks.error_rate import error_rate_spec, judge_error_rate
from analytics_platform.checks.gate import gate_check_results, gate_check_specs
from analytics_platform.contracts import CONTRACTS, table_of
from analytics_platform.contracts.ddl import table_doc
from analytics_platform.ingest import CLICKSTREAM, days_to_build, load_new_batches
from analytics_platform.lake import FolderLake
from analytics_platform.lookups import make_source_categories, make_urls, make_user_agents
from analytics_platform.settings import Settings
from analytics_platform.warehouse.spreadsheet import write_spreadsheets

_CONTRACT = CONTRACTS["cleaned.clickstream"]
_TABLE = table_of(_CONTRACT)
_KEY = asset_key(_TABLE.name)


@dg.asset(
    key=_KEY,
    description=table_doc(_CONTRACT),
    deps=[RAW_CLICKSTREAM],
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=_TABLE.layer,
    owners=[_TABLE.owner],
    kinds={"duckdb", "pandera"},
    tags={"layer": _TABLE.layer},
    metadata=definition_metadata(_CONTRACT),
    check_specs=[error_rate_spec(_KEY), *gate_check_specs(_KEY, _CONTRACT)],
    pool=POOL,
)
def cleaned_clickstream(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[FolderLake],
    warehouse: WarehouseResource,
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Put new batches through the gate; stop the line if too many rows were refused."""
    inputs: set[str] = set()
    batches: list[str] = []
    accepted = 0
    with warehouse.session() as session:
        session.ensure(_CONTRACT)
        for batch, loaded in load_new_batches(CLICKSTREAM, session, settings, lake, context.run_id):
            inputs.add(batch.name)
            batches.append(batch.batch_id)
            accepted += loaded.rows_accepted
            context.log.info(
                f"{batch.name}: {loaded.rows_read:,} rows read = {loaded.rows_accepted:,} accepted "
                f"+ {loaded.rows_duplicate:,} duplicate + {loaded.rows_quarantined:,} quarantined"
            )
        if not inputs:
            context.log.info("No new batch in the lake: nothing read.")
        written = write_spreadsheets(session, settings.quarantine_dir, inputs)
        verdict, stop = judge_error_rate(session, _KEY, settings.max_error_rate)
        yield verdict
        yield from gate_check_results(session, _KEY, _CONTRACT)
        rows = session.rows("SELECT count(*) FROM cleaned.clickstream")[0][0]
        to_build = days_to_build(session, batches, settings)
        context.log.info(f"Days whose tables the new rows change: {to_build or 'none'}")
    if stop:
        raise dg.Failure(stop, allow_retries=False)
    yield dg.MaterializeResult(
        asset_key=_KEY,
        metadata={
            "dagster/row_count": dg.MetadataValue.int(int(str(rows))),
            "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(_CONTRACT)),
            "dagster/column_lineage": dg.MetadataValue.column_lineage(lineage_of(_TABLE.name)),
            "new batches": dg.MetadataValue.int(len(inputs)),
            "days to build": dg.MetadataValue.text(to_build or "none"),
            "new rows": dg.MetadataValue.int(accepted),
            "quarantine files": dg.MetadataValue.text("\n".join(map(str, written)) or "none"),
        },
    )


def lookup_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets that take distinct values apart, and the list of known traffic sources."""
    clickstream = (_TABLE.name,)
    return [
        table_asset("cleaned.urls", clickstream, make_urls, settings),
        table_asset("cleaned.user_agents", clickstream, make_user_agents, settings),
        table_asset("cleaned.source_categories", (), make_source_categories, settings),
    ]
