"""The raw layer: whatever arrived, untouched, as batches in the lake. One factory for all sources."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.ingest import Source, land_files
from analytics_platform.ingest.api import fetch_users
from analytics_platform.ingest.collection import read_collection
from analytics_platform.ingest.progress import progress_bar
from analytics_platform.ingest.queue import drain_queue
from analytics_platform.ingest.shop import read_table
from analytics_platform.ingest.sources import API, COLLECTION, DATABASE, QUEUE, Arrival
from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.assets.metadata import column_schema
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import Settings

Metadata: TypeAlias = dict[str, dg.MetadataValue]
Fetch: TypeAlias = Callable[[dg.AssetExecutionContext, Source, Settings, FolderLake], Metadata]


def raw_key(source: Source) -> dg.AssetKey:
    """The asset that fetches a source: `raw/clickstream`."""
    return dg.AssetKey(["raw", source.name])


def raw_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that brings what arrived of a source into the lake: landed files, and what its system holds."""
    here = dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="asset")

    @dg.asset(
        key=raw_key(source),
        description=source.arrival.description,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds=set(source.arrival.kinds),
        tags={"layer": "raw"},
        metadata={
            "dagster/table_name": dg.MetadataValue.text(f"lake.{source.name}"),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[here]),
        },
    )
    def fetch(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        metadata = _land(context, source, settings, lake) if source.suffixes else {}
        setting = source.arrival.setting
        if setting and not source.address(settings):
            context.log.info(f"{setting} is not set: nothing of {source.name} is read from there.")
            metadata["not read"] = dg.MetadataValue.text(f"{setting} is not set")
        elif setting:
            try:
                metadata |= _FETCH[source.arrival](context, source, settings, lake)
            except UserError as error:
                raise failure(error) from None
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": dg.MetadataValue.int(len(lake.batches(source.name))),
                "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(source.contract)),
                "dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage({})),
                **metadata,
            }
        )

    return fetch


def _land(context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: FolderLake) -> Metadata:
    """Take in the files of the source's landing folder."""
    folder = settings.landing_dir / source.name
    if not folder.is_dir() and not source.arrival.setting:
        context.log.warning(f"{folder} does not exist: no files of {source.name}.")
    landing = land_files(source.name, settings, lake)
    for name, reason in landing.refused.items():
        context.log.error(f"{folder / name} is refused: {reason}")
    for name in landing.changing:
        context.log.info(f"{folder / name} changed while it was read: left for the next run.")
    return {
        "files": dg.MetadataValue.int(len(landing.batches)),
        "refused files": dg.MetadataValue.text("\n".join(landing.refused) or "none"),
        "files still changing": dg.MetadataValue.text("\n".join(landing.changing) or "none"),
    }


def _read_collection(
    context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: FolderLake
) -> Metadata:
    documents = 0
    for step in read_collection(settings, lake):
        documents += step.documents
        context.log.info(step.note or f"{documents:,} documents read")
    return {"documents read": dg.MetadataValue.int(documents)}


def _fetch_answer(context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: FolderLake) -> Metadata:
    batch = fetch_users(settings, lake)
    words = f"a new answer, {batch.size:,} bytes" if batch else "the same as last time"
    context.log.info(f"Users API: {words}")
    return {"answer": dg.MetadataValue.text(words)}


def _drain(context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: FolderLake) -> Metadata:
    with progress_bar(source.name) as report:
        drained = drain_queue(settings, lake, settings.drain_max_messages, settings.drain_max_seconds, report)
    context.log.info(
        f"{drained.received:,} messages received, {drained.stored:,} stored in {drained.batches:,} batches, "
        f"{drained.redelivered:,} of them again, {drained.deleted:,} deleted from the queue"
    )
    return {
        "messages received": dg.MetadataValue.int(drained.received),
        "messages stored": dg.MetadataValue.int(drained.stored),
        "messages not deleted": dg.MetadataValue.int(drained.not_deleted),
    }


def _read_table(context: dg.AssetExecutionContext, source: Source, settings: Settings, lake: FolderLake) -> Metadata:
    rows = 0
    for some in read_table(source.name, settings, lake):
        rows += some
        context.log.info(f"{rows:,} rows read")
    return {"rows": dg.MetadataValue.int(rows)}


_FETCH: Mapping[Arrival, Fetch] = MappingProxyType(
    {API: _fetch_answer, COLLECTION: _read_collection, DATABASE: _read_table, QUEUE: _drain}
)
