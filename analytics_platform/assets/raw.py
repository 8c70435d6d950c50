"""The raw layer: whatever arrived, untouched, as batches in the lake."""

from pathlib import Path

import dagster as dg

from analytics_platform.assets.metadata import column_schema
from analytics_platform.ingest import Source, land_files
from analytics_platform.lake import FolderLake
from analytics_platform.settings import Settings


def raw_key(source: Source) -> dg.AssetKey:
    """The asset that fetches a source: `raw/clickstream`."""
    return dg.AssetKey(["raw", source.name])


def _definition_metadata(source: Source) -> dict[str, dg.MetadataValue]:
    """Metadata that is known before any run."""
    here = dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="asset")
    return {
        "dagster/table_name": dg.MetadataValue.text(f"lake.{source.name}"),
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[here]),
    }


def _metadata(source: Source, lake: FolderLake) -> dict[str, dg.MetadataValue]:
    """Metadata that every fetch has."""
    return {
        "dagster/row_count": dg.MetadataValue.int(len(lake.batches(source.name))),
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(source.contract)),
        "dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage({})),
    }


def files_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that takes in the files of a source's landing folder."""

    @dg.asset(
        key=raw_key(source),
        description=f"Files from LANDING_DIR/{source.name}, byte for byte, each content once.",
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds={"csv", "file"},
        tags={"layer": "raw"},
        metadata=_definition_metadata(source),
    )
    def land(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        folder: Path = settings.landing_dir / source.name
        if not folder.is_dir():
            context.log.warning(f"{folder} does not exist: no files of {source.name}.")
        landing = land_files(source.name, settings, lake)
        for name, reason in landing.refused.items():
            context.log.error(f"{folder / name} is refused: {reason}")
        for name in landing.changing:
            context.log.info(f"{folder / name} changed while it was read: left for the next run.")
        return dg.MaterializeResult(
            metadata={
                **_metadata(source, lake),
                "files": dg.MetadataValue.int(len(landing.batches)),
                "refused files": dg.MetadataValue.text("\n".join(landing.refused) or "none"),
                "files still changing": dg.MetadataValue.text("\n".join(landing.changing) or "none"),
            }
        )

    return land
