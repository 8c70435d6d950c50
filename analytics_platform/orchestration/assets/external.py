"""The systems around the platform, as assets that it does not build: where data comes from, and who reads it."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg

from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Arrival
from analytics_platform.transform import all_models

SOURCES_GROUP, SERVING_GROUP = "sources", "serving"
DASHBOARD_ADDRESS = "http://127.0.0.1:8501"


def system_key(name: str) -> dg.AssetKey:
    """The asset of a system that data comes from: `sources/sqs_queue`."""
    return dg.AssetKey([SOURCES_GROUP, name])


def with_outside(assets: Sequence[dg.AssetsDefinition], settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets with the systems around them, raw assets behind the system they come from."""
    raw = {raw_key(source): system_key(source.arrival.system) for source in SOURCES.values()}

    def placed(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(deps=[*spec.deps, raw[spec.key]]) if spec.key in raw else spec

    return [*(asset.map_asset_specs(placed) for asset in assets), *external_assets(settings)]


def external_assets(settings: Settings) -> Sequence[dg.AssetSpec]:
    """All of them; addresses without users, passwords and queries, and whether they are configured."""
    arrivals = {source.arrival.system: source.arrival for source in SOURCES.values()}
    return [
        *(_system(arrival, arrival.address(settings)) for arrival in arrivals.values()),
        dg.AssetSpec(
            dg.AssetKey([SERVING_GROUP, "dashboard"]),
            description="The dashboard that people look at: `make dashboard`. It reads the marts and writes nothing.",
            deps=[dg.AssetKey(name.split(".")) for name in all_models() if name.startswith("marts.")],
            group_name=SERVING_GROUP,
            owners=["team:analytics"],
            kinds={"streamlit"},
            tags={"layer": SERVING_GROUP},
            metadata={"link": dg.MetadataValue.url(DASHBOARD_ADDRESS), **_here()},
        ),
    ]


def _system(arrival: Arrival, address: str) -> dg.AssetSpec:
    shown = _without_secrets(address)
    web = shown.startswith(("http://", "https://"))
    value = dg.MetadataValue.url(shown) if web else dg.MetadataValue.text(shown or "not configured")
    return dg.AssetSpec(
        system_key(arrival.system),
        description=arrival.about,
        group_name=SOURCES_GROUP,
        owners=["team:shop"],
        kinds={arrival.kinds[0]},
        tags={"layer": SOURCES_GROUP},
        metadata={"address": value, "configured": dg.MetadataValue.bool(bool(address)), **_here()},
    )


def _here() -> dict[str, dg.MetadataValue]:
    place = dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="asset")
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}


def _without_secrets(url: str) -> str:
    """Scheme, hosts and path: users, passwords, tokens in queries and options are nobody's business."""
    if "://" not in url:  # a folder
        return url and str(Path(url).resolve())
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
