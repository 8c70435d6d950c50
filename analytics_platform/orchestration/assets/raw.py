"""The raw layer: whatever arrived, untouched, as batches in the lake. One factory for all sources."""

from pathlib import Path
from typing import TypeAlias

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.lake import Lake
from analytics_platform.orchestration.assets.metadata import column_schema, python_files
from analytics_platform.orchestration.resources import SQSResource
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_unread, land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Source

Metadata: TypeAlias = dict[str, dg.MetadataValue]


def raw_key(source: Source) -> dg.AssetKey:
    """The asset that fetches a source: `raw/clickstream`."""
    return dg.AssetKey(["raw", source.name])


def raw_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that brings what arrived of a source into the lake: landed files, and what its system holds."""

    @dg.asset(
        key=raw_key(source),
        description=source.arrival.description,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds=set(source.arrival.kinds),
        tags={"layer": "raw"},
        metadata={"dagster/table_name": dg.MetadataValue.text(f"lake.{source.name}"), **python_files(__file__)},
    )
    def fetch(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        lake: dg.ResourceParam[Lake],
        sqs: SQSResource,
    ) -> dg.MaterializeResult[None]:
        try:
            metadata = _land(context, source, settings, lake) if source.format.suffixes else {}
            metadata |= _fetch(context, source, settings, lake, sqs)
            batches = len(lake.batches(source.name))
        except UserError as error:
            raise failure(error) from None
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": dg.MetadataValue.int(batches),
                "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(source.contract)),
                "dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage({})),
                **metadata,
            }
        )

    return fetch


def _fetch(
    context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: Lake, sqs: SQSResource
) -> Metadata:
    """Take in what the source's system holds, if it has one."""
    setting = source.arrival.setting
    if not setting:
        return {}
    if not source.address(settings):
        context.log.info(f"{setting} is not set: nothing of {source.name} is read from there.")
        return {"not read": dg.MetadataValue.text(f"{setting} is not set")}
    fetched = source.arrival.fetch(source, settings, lake, context.log.info, sqs.connect)
    return {
        name: dg.MetadataValue.int(figure) if isinstance(figure, int) else dg.MetadataValue.text(figure)
        for name, figure in fetched.items()
    }


def _land(context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: Lake) -> Metadata:
    """Take in the files of the source's landing folder."""
    place = f"{settings.landing_place}/{source.name}"
    if not (settings.landing_url or Path(place).is_dir()):
        context.log.info(f"{place} does not exist: no files of {source.name}.")
    for sentence in (unread := find_unread(source, SOURCES.values(), settings)):
        context.log.warning(sentence)
    landing = land_files(source, settings, lake)
    for name, reason in landing.rejected.items():
        context.log.info(f"{place}/{name} is rejected: {reason}")  # the check files_readable fails with it
    for name in landing.changing:
        context.log.info(f"{place}/{name} changed while it was read: left for the next run.")
    return {
        "files": dg.MetadataValue.int(len(landing.batches)),
        "rejected files": dg.MetadataValue.text("\n".join(landing.rejected) or "none"),
        "not read by any source": dg.MetadataValue.text("\n".join(unread) or "none"),
        "files still changing": dg.MetadataValue.text("\n".join(landing.changing) or "none"),
    }
