"""The best sellers of the marts, put into the shop's cache."""

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.orchestration.assets.metadata import python_files
from analytics_platform.orchestration.assets.tables import POOL
from analytics_platform.orchestration.resources import WarehouseResource
from analytics_platform.settings import Settings
from analytics_platform.shop.best_sellers import MOST, push_best_sellers
from analytics_platform.shop.domain import BestSeller

_TOP = """
WITH names AS (
    SELECT product_id, product_name FROM star.dim_product WHERE is_current
)
SELECT product_id, coalesce(product_name, product_id), orders, quantity, revenue
FROM marts.top_sellers LEFT JOIN names USING (product_id)
WHERE quantity > 0
ORDER BY quantity DESC, revenue DESC, product_id
LIMIT $most
"""


@dg.asset(
    key=["cache", "best_sellers"],
    description=(
        "The ten products of which most pieces were sold, in the Redis of REDIS_URL, where the shop serves them from. "
        "The shop counts them itself when this list is older than a minute or something was sold since."
    ),
    deps=[dg.AssetKey(["marts", "top_sellers"]), dg.AssetKey(["star", "dim_product"])],
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="cache",
    owners=["team:analytics"],
    kinds={"redis"},
    tags={"layer": "cache"},
    metadata=python_files(__file__),
    pool=POOL,
)
def best_sellers(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[WarehouseResource],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """Read the mart, and push its first rows. A cache that is not available is no failure: the shop counts itself."""
    url = settings.redis_url.get_secret_value()
    if not url:
        context.log.info("REDIS_URL is not set: no best sellers are cached.")
        return dg.MaterializeResult(metadata={"cache": "REDIS_URL is not set"})
    with warehouse.session(read_only=True) as session:
        built = {"marts.top_sellers", "star.dim_product"} <= session.tables()
        top = [BestSeller(*row) for row in session.frame(_TOP, {"most": MOST}).iter_rows()] if built else []
    try:
        push_best_sellers(url, top)
    except UserError as error:
        context.log.warning(f"{error} The shop counts its best sellers itself.")
        return dg.MaterializeResult(metadata={"cache": str(error)})
    listed = "\n".join(f"{place}. {each.name}: {each.quantity:,}" for place, each in enumerate(top, start=1))
    return dg.MaterializeResult(metadata={"cache": "refreshed", "best sellers": dg.MetadataValue.text(listed)})
