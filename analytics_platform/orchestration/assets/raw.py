"""The raw layer: whatever arrived, untouched, as batches in the lake."""

from pathlib import Path

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.ingest import Source, land_files
from analytics_platform.ingest.api import fetch_users
from analytics_platform.ingest.collection import read_collection
from analytics_platform.ingest.progress import progress_bar
from analytics_platform.ingest.queue import drain_queue
from analytics_platform.ingest.shop import read_table
from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.assets.metadata import column_schema
from analytics_platform.orchestration.retries import failure
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


def collection_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that reads the MongoDB collection, and its dump files in the landing folder, into the lake."""

    @dg.asset(
        key=raw_key(source),
        description=(
            "Documents of the collection MONGODB_COLLECTION as raw BSON in Parquet batches, only what is new since the "
            f"last run; and dumps (.bson, Extended JSON) from LANDING_DIR/{source.name}, byte for byte."
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds={"mongodb", "parquet"},
        tags={"layer": "raw"},
        metadata=_definition_metadata(source),
    )
    def read(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        landing = land_files(source.name, settings, lake)
        documents = 0
        if not settings.mongodb_uri.get_secret_value():
            context.log.warning("MONGODB_URI is not set: no collection is read.")
        else:
            try:
                for step in read_collection(settings, lake):
                    documents += step.documents
                    context.log.info(step.note or f"{documents:,} documents read")
            except UserError as error:
                raise failure(error) from None
        return dg.MaterializeResult(
            metadata={
                **_metadata(source, lake),
                "documents read": dg.MetadataValue.int(documents),
                "files": dg.MetadataValue.int(len(landing.batches)),
            }
        )

    return read


def api_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that fetches the users API into the lake."""

    @dg.asset(
        key=raw_key(source),
        description="The untouched answer of USERS_API_URL, all its pages or nothing; each different answer once.",
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds={"json", "api"},
        tags={"layer": "raw"},
        metadata=_definition_metadata(source),
    )
    def fetch(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        if not settings.users_api_url:
            context.log.warning("USERS_API_URL is not set: no users are fetched.")
            return dg.MaterializeResult(metadata={**_metadata(source, lake), "answer": "USERS_API_URL is not set"})
        try:
            batch = fetch_users(settings, lake)
        except UserError as error:
            raise failure(error) from None
        words = f"a new answer, {batch.size:,} bytes" if batch else "the same as last time"
        context.log.info(f"Users API: {words}")
        return dg.MaterializeResult(metadata={**_metadata(source, lake), "answer": words})

    return fetch


def queue_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that drains the queue of product events into the lake."""

    @dg.asset(
        key=raw_key(source),
        description=(
            "Messages drained from the queue SQS_QUEUE_URL, as Parquet batches. A message is deleted from the queue "
            "only once it is here; delivered twice, it is here twice, and counted once behind the gate."
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds={"sqs", "parquet"},
        tags={"layer": "raw"},
        metadata=_definition_metadata(source),
    )
    def drain(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        if not settings.sqs_queue_url:
            context.log.warning("SQS_QUEUE_URL is not set: no queue is drained.")
            return dg.MaterializeResult(metadata={**_metadata(source, lake), "queue": "SQS_QUEUE_URL is not set"})
        try:
            with progress_bar(source.name) as report:
                drained = drain_queue(settings, lake, settings.drain_max_messages, settings.drain_max_seconds, report)
        except UserError as error:
            raise failure(error) from None
        context.log.info(
            f"{drained.received:,} messages received, {drained.stored:,} stored in {drained.batches:,} batches, "
            f"{drained.redelivered:,} of them again, {drained.deleted:,} deleted from the queue"
        )
        return dg.MaterializeResult(
            metadata={
                **_metadata(source, lake),
                "messages received": dg.MetadataValue.int(drained.received),
                "messages stored": dg.MetadataValue.int(drained.stored),
                "messages not deleted": dg.MetadataValue.int(drained.not_deleted),
            }
        )

    return drain


def shop_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that reads one table of the shop's database into the lake."""

    @dg.asset(
        key=raw_key(source),
        description=(
            f"Rows of shop.{source.name} in SHOP_DATABASE_URL, as JSON lines that PostgreSQL wrote: what changed since "
            "the last run, and the ten minutes before that once more for what was committed late."
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="raw",
        owners=["team:analytics"],
        kinds={"postgres", "json"},
        tags={"layer": "raw"},
        metadata=_definition_metadata(source),
    )
    def read(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> dg.MaterializeResult[None]:
        rows = 0
        if not settings.shop_database_url.get_secret_value():
            context.log.warning(f"SHOP_DATABASE_URL is not set: no {source.name} are read.")
            return dg.MaterializeResult(metadata={**_metadata(source, lake), "rows": "SHOP_DATABASE_URL is not set"})
        try:
            for some in read_table(source.name, settings, lake):
                rows += some
                context.log.info(f"{rows:,} rows read")
        except UserError as error:
            raise failure(error) from None
        return dg.MaterializeResult(metadata={**_metadata(source, lake), "rows": dg.MetadataValue.int(rows)})

    return read
