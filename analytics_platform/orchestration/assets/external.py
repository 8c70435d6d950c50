"""The systems that data comes from, as assets that the platform does not build.

Nothing that is not built may stand behind what is built: `dagster asset materialize` refuses a selection like
`key:"cleaned/events"+` with such an asset in it. So the dashboard is named in the metadata of the marts.
"""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from analytics_platform.orchestration.assets.metadata import python_files
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Arrival

GROUP = "sources"


def with_systems(assets: Sequence[dg.AssetsDefinition], settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Add the systems to the assets, each before the raw assets that are read from it."""
    before = {raw_key(source): dg.AssetKey([GROUP, source.arrival.system]) for source in SOURCES.values()}
    arrivals = {source.arrival.system: source.arrival for source in SOURCES.values()}

    def placed(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(deps=[*spec.deps, before[spec.key]]) if spec.key in before else spec

    systems = [_system(arrival, settings) for arrival in arrivals.values()]
    return [*(asset.map_asset_specs(placed) for asset in assets), *systems]


def _system(arrival: Arrival, settings: Settings) -> dg.AssetSpec:
    is_folder = not (arrival.setting or settings.landing_url)
    shown = str(Path(arrival.address(settings)).resolve()) if is_folder else arrival.shown(settings)
    web = shown.startswith(("http://", "https://"))
    return dg.AssetSpec(
        dg.AssetKey([GROUP, arrival.system]),
        description=arrival.about,
        group_name=GROUP,
        owners=["team:shop"],
        kinds={arrival.kinds[0]},
        tags={"layer": GROUP},
        metadata={
            "address": dg.MetadataValue.url(shown) if web else dg.MetadataValue.text(shown or "not configured"),
            "configured": dg.MetadataValue.bool(bool(arrival.address(settings))),
            **python_files(__file__),
        },
    )
