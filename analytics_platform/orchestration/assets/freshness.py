"""When an asset counts as late: its last arrival, or what was built from it, is older than FRESHNESS_HOURS.

Sensors and schedules materialize an asset only when something arrived, so this says whether data still comes in, and
whether it gets through. Needs `freshness: enabled` in dagster.yaml; the watchdog's check `fresh` says the same without.
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES

WARN_AT = 0.5
"""Share of FRESHNESS_HOURS after which the UI warns."""

WATCHED_LAYERS = frozenset({"marts", "reports"})


def with_freshness(assets: Sequence[dg.AssetsDefinition], settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets, those whose age matters with a policy: configured sources, marts, reports."""
    late = timedelta(hours=settings.freshness_hours)
    policy = dg.FreshnessPolicy.time_window(fail_window=late, warn_window=late * WARN_AT)
    sources = {raw_key(source) for source in SOURCES.values() if source.address(settings)}

    def with_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
        watched = spec.key in sources or spec.key.path[0] in WATCHED_LAYERS
        return spec.replace_attributes(freshness_policy=policy) if watched else spec

    return [asset.map_asset_specs(with_policy) for asset in assets]
