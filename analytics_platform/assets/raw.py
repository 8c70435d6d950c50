"""The raw layer: whatever arrived, untouched, as batches in the lake."""

from pathlib import Path

import dagster as dg

from analytics_platform.assets.metadata import column_schema
from analytics_platform.contracts import CONTRACTS
from analytics_platform.ingest import CLICKSTREAM, land_files
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings

RAW_CLICKSTREAM = dg.AssetKey(["raw", CLICKSTREAM])


@dg.asset(
    key=RAW_CLICKSTREAM,
    description="Clickstream files from LANDING_DIR/clickstream, byte for byte, each content once.",
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="raw",
    owners=["team:analytics"],
    kinds={"csv", "file"},
    tags={"layer": "raw"},
    metadata={
        "dagster/table_name": "lake.clickstream",
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="asset")]
        ),
    },
)
def raw_clickstream(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
) -> dg.MaterializeResult[None]:
    """Copy new files into the lake; report files that cannot be read or that are still being written."""
    folder: Path = settings.landing_dir / CLICKSTREAM
    if not folder.is_dir():
        context.log.warning(f"{folder} does not exist: no clickstream files.")
    landing = land_files(CLICKSTREAM, settings, lake)
    for name, reason in landing.refused.items():
        context.log.error(f"{folder / name} is refused: {reason}")
    for name in landing.changing:
        context.log.info(f"{folder / name} changed while it was read: left for the next run.")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": dg.MetadataValue.int(len(lake.batches(CLICKSTREAM))),
            "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(CONTRACTS["cleaned.clickstream"])),
            "dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage({})),
            "files": dg.MetadataValue.int(len(landing.batches)),
            "refused files": dg.MetadataValue.text("\n".join(landing.refused) or "none"),
            "files still changing": dg.MetadataValue.text("\n".join(landing.changing) or "none"),
        }
    )
