"""Jobs with plain names for what people start by hand."""

import dagster as dg

from analytics_platform.orchestration.checks.business import watchdog
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import Settings
from analytics_platform.shop.errors import ShopError
from analytics_platform.shop.service import open_shop
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.open import open_delta
from analytics_platform.warehouse.session import WarehouseError

INGEST, REBUILD, REPORT, WATCH = "ingest_everything", "rebuild_days", "publish_reports", "watch"
DRAIN_OUTBOX, FOLLOW, MAINTAIN = "drain_outbox", "follow", "maintain_tables"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Dagster's tags for the first and the last day that a run builds."""

BUILT_UP_TO = "analytics/built_up_to"
"""The tag of a run that built all that was loaded up to a place in the ledger."""

FOLLOWED_UP_TO = "analytics/followed_up_to"
"""The tag of a run of the fast lane that built up to a place in the ledger, but for summaries."""

TOUCHED = "analytics/touched"
"""The tag with what a run builds of its days (`Touched`): of each table only what changed. Without it, all days."""

ARRIVALS = frozenset(
    dg.AssetKey(path) for each in SOURCES.values() for path in (["raw", each.name], each.contract.table.name.split("."))
)
"""Assets that take in what arrived; all others are built from them."""


@dg.op(description="Clear carts and let best sellers be counted anew, for orders that could not do it at once.")
def drain_shop(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Do what is due in the shop's outbox; fails with the reasons if a server is still away."""
    if not settings.shop_database_url.get_secret_value():
        context.log.warning("SHOP_DATABASE_URL is not set: there is no outbox to drain.")
        return
    try:
        with open_shop(settings) as shop:
            drained = shop.drain_outbox()
    except ShopError as error:
        raise dg.Failure(str(error)) from None
    context.log.info(f"{drained.done:,} tasks done, {drained.left:,} left")
    if drained.reasons:
        raise dg.Failure(f"{drained.left:,} tasks are left in the shop's outbox. {' '.join(drained.reasons)}")


@dg.job(name=DRAIN_OUTBOX, description="Do what orders of the shop left to be done.")
def drain_outbox() -> None:
    """One step."""
    drain_shop()


@dg.op(description="Join small files of Delta tables, and delete those of versions older than a week.")
def maintain_tables(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Keep Delta tables quick to read; says what was done to each."""
    try:
        for sentence in open_delta(settings).maintain():
            context.log.info(sentence)
    except WarehouseError as error:
        raise failure(error) from None


@dg.job(name=MAINTAIN, description="Keep Delta tables quick to read, every night.")
def maintain() -> None:
    """One step."""
    maintain_tables()


ingest_everything = dg.define_asset_job(INGEST, [*ARRIVALS], description="Load new data.")
rebuild_days = dg.define_asset_job(
    REBUILD,
    dg.AssetSelection.groups("cleaned", "sessionized", "star", "marts", "ops") - dg.AssetSelection.keys(*ARRIVALS),
    description="Build all tables for a range of days.",
)
publish_reports = dg.define_asset_job(
    REPORT, dg.AssetSelection.groups("reports", "cache"), description="Write the findings."
)
watch = dg.define_asset_job(WATCH, dg.AssetSelection.checks(watchdog), description="Run the data-health checks.")
