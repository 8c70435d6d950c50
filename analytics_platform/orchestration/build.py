"""Puts assets, checks, jobs, sensors, schedules and resources together."""

from __future__ import annotations

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import file_of
from analytics_platform.contracts.check import DeclarationError
from analytics_platform.lake import open_lake
from analytics_platform.orchestration.assets.cache import best_sellers
from analytics_platform.orchestration.assets.cleaned import gate_asset, lookup_assets
from analytics_platform.orchestration.assets.external import with_systems
from analytics_platform.orchestration.assets.freshness import with_freshness
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.assets.reports import findings
from analytics_platform.orchestration.assets.tables import table_asset
from analytics_platform.orchestration.checks.business import watchdog
from analytics_platform.orchestration.checks.files import batches_loaded_check, files_readable_check
from analytics_platform.orchestration.follow.batch import follow
from analytics_platform.orchestration.jobs import (
    drain_outbox,
    ingest_everything,
    maintain,
    publish_reports,
    rebuild_days,
    watch,
)
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.orchestration.schedules import build_schedules
from analytics_platform.orchestration.sensors import build_sensors
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import all_models
from analytics_platform.transform.lookups.tables import LOOKUPS


def build_definitions(settings: Settings) -> dg.Definitions:
    """Put together everything Dagster knows of the platform: for the code location, the command line and tests.

    Raises `DeclarationError` for a contract whose table nothing makes.
    """
    for name, contract in CONTRACTS.items():
        if contract.table.write != "batches" and name not in {*all_models(), *LOOKUPS}:
            path = f"models/{name.replace('.', '/')}.sql"
            raise DeclarationError(f"{file_of(contract)}: the table {name} has no SQL: write {path}.")
    models = [table_asset(name, model.inputs, settings) for name, model in all_models().items()]
    raw = [raw_asset(source) for source in SOURCES.values()]
    gates = [gate_asset(source, settings) for source in SOURCES.values()]
    built = with_freshness([*raw, *gates, *lookup_assets(settings), *models, findings, best_sellers], settings)
    readable = [files_readable_check(source) for source in SOURCES.values() if source.format.suffixes]
    loaded = [batches_loaded_check(source) for source in SOURCES.values()]
    own: list[dg.JobDefinition] = [maintain] if settings.is_on_delta else []
    return dg.Definitions(
        assets=with_systems(built, settings),
        asset_checks=[*readable, *loaded, watchdog],
        jobs=[ingest_everything, rebuild_days, publish_reports, watch, drain_outbox, follow, *own],
        schedules=build_schedules(settings),
        sensors=build_sensors(settings, open_lake(settings)),
        resources=build_resources(settings),
        executor=dg.in_process_executor,
    )
