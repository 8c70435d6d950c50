"""The systems around the platform, as assets that it does not build: where data comes from, and who reads it."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import dagster as dg

from analytics_platform.ingest import SOURCES
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.settings import Settings
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
    mongodb, shop = settings.mongodb_uri.get_secret_value(), settings.shop_database_url.get_secret_value()
    folder = str(settings.landing_dir.resolve())
    collection = mongodb and f"{_address(mongodb)}/{settings.mongodb_database}.{settings.mongodb_collection}"
    return [
        _system("landing_folder", "Where exports and dumps are dropped, a folder per source.", "file", folder),
        _system("sqs_queue", "Queue of product events (SQS_QUEUE_URL).", "sqs", _address(settings.sqs_queue_url)),
        _system("mongodb_collection", "Collection of web logs (MONGODB_URI).", "mongodb", collection),
        _system("users_api", "JSON API of users (USERS_API_URL).", "api", _address(settings.users_api_url)),
        _system("shop_database", "The shop's own database (SHOP_DATABASE_URL).", "postgres", _address(shop)),
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


def _system(name: str, description: str, kind: str, address: str) -> dg.AssetSpec:
    web = address.startswith(("http://", "https://"))
    shown = dg.MetadataValue.url(address) if web else dg.MetadataValue.text(address or "not configured")
    return dg.AssetSpec(
        system_key(name),
        description=description,
        group_name=SOURCES_GROUP,
        owners=["team:shop"],
        kinds={kind},
        tags={"layer": SOURCES_GROUP},
        metadata={"address": shown, "configured": dg.MetadataValue.bool(bool(address)), **_here()},
    )


def _here() -> dict[str, dg.MetadataValue]:
    place = dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="asset")
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[place])}


def _address(url: str) -> str:
    """Scheme, hosts and path: users, passwords, tokens in queries and options are nobody's business."""
    if not url:
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
