"""The shop's cache of best sellers, marked as stale once the marts are built."""

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.orchestration.assets.metadata import python_files
from analytics_platform.settings import Settings
from analytics_platform.shop.best_sellers import invalidate_best_sellers


@dg.asset(
    key=["cache", "best_sellers"],
    description=(
        "The ten products of which most pieces were sold, in the Redis of REDIS_URL. The shop counts them from its own "
        "orders, which are newer than the marts: here the list is only marked as stale, so that the next reader counts."
    ),
    deps=[dg.AssetKey(["marts", "top_sellers"])],
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="cache",
    owners=["team:analytics"],
    kinds={"redis"},
    tags={"layer": "cache"},
    metadata=python_files(__file__),
)
def best_sellers(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """Mark the list as stale. A cache that is not available is no failure: the shop counts itself."""
    if not (url := settings.redis_url.get_secret_value()):
        context.log.info("REDIS_URL is not set: no best sellers are cached.")
        return dg.MaterializeResult(metadata={"cache": "REDIS_URL is not set"})
    try:
        invalidate_best_sellers(url)
    except UserError as error:
        context.log.warning(f"{error} The shop counts its best sellers itself.")
        return dg.MaterializeResult(metadata={"cache": str(error)})
    return dg.MaterializeResult(metadata={"cache": "marked as stale"})
