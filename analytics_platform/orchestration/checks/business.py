"""The watchdog's observations as asset checks: they warn in the UI and stop nothing."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import dagster as dg

from analytics_platform.orchestration.assets.metadata import asset_key
from analytics_platform.orchestration.resources import WarehouseResource
from analytics_platform.settings import Settings
from analytics_platform.transform import all_models
from analytics_platform.warehouse.watchdog import watch

WATCHED = dg.AssetKey(["marts", "daily_trends"])
BUILT_BEFORE = [
    asset_key(name)
    for name in all_models()
    if name.startswith(("star.", "marts.", "ops.")) and asset_key(name) != WATCHED
]
"""The watchdog runs once everything is built."""

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "fresh": "The latest batch arrived at most FRESHNESS_HOURS ago.",
        "sources": "No source of events is silent for longer than it usually is, while others bring data.",
        "batches": "Every batch in the lake is loaded, but for those that a person withdrew.",
        "error_rate": "No batch and no day is above MAX_ERROR_RATE.",
        "revenue": "The last week of data has revenue, if the shop takes orders (EXPECTS_ORDERS).",
        "currency": "Every amount has a currency that can be converted into the shop's.",
        "volume": "The last complete day has about as many events as the week before it.",
        "event_names": "Which names of events, in the last week of data, the platform gives no meaning to.",
        "fields": "Which fields of the records nothing reads: unknown columns, and keys of JSON.",
        "sessions": "How many sessions of a source, in the last week of data, are one session here and alone.",
        "own_domains": "The shop's own domains are known where pages lack a host.",
        "orphans": "At most a tenth of the logs name a user who is no known customer.",
        "orders": "Events and the shop's database have the same orders, in the last week of data.",
        "conservation": "Every row read is accepted, duplicate or quarantined, and stored.",
        "incremental": "A sampled day of every table is what its model gives for that day now.",
    }
)


@dg.multi_asset_check(
    name="watchdog",
    specs=[
        dg.AssetCheckSpec(name, asset=WATCHED, description=text, additional_deps=BUILT_BEFORE)
        for name, text in DESCRIPTIONS.items()
    ],
    pool="warehouse",
)
def watchdog(
    warehouse: dg.ResourceParam[WarehouseResource], settings: dg.ResourceParam[Settings]
) -> Iterator[dg.AssetCheckResult]:
    """Run the data-health checks, once the marts are built."""
    with warehouse.session(read_only=True) as session:
        observations = list(watch(session, settings, datetime.now(UTC)))
    for observation in observations:
        yield dg.AssetCheckResult(
            asset_key=WATCHED,
            check_name=observation.name,
            passed=observation.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=observation.seen,
            metadata={} if observation.passed else {"what to do": observation.remedy},
        )
