"""A code location with the dashboard's jobs on small assets: it loads fast, and rebuilding fails."""

import time

import dagster as dg

DAYS = dg.DailyPartitionsDefinition("2026-01-01")


class ShopError(RuntimeError):
    """As our own errors are raised: in one sentence."""


@dg.asset
def arrivals(context: dg.AssetExecutionContext) -> None:
    context.log.info("12 <b>rows</b> loaded")
    time.sleep(1)  # so that a look falls into the run


@dg.asset(deps=[arrivals])
def after() -> None:
    pass


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def days(context: dg.AssetExecutionContext) -> None:
    context.log.info(f"building {context.partition_key_range.start} to {context.partition_key_range.end}")


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[days])
def broken() -> None:
    raise ShopError("The shop's database is away: start it.\nand more")


defs = dg.Definitions(
    assets=[arrivals, after, days, broken],
    jobs=[
        dg.define_asset_job("ingest_everything", [arrivals, after]),
        dg.define_asset_job("rebuild_days", [days, broken]),
    ],
    executor=dg.in_process_executor,
)
