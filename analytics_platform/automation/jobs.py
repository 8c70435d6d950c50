"""Jobs with plain names for what people start by hand."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from analytics_platform.checks.business import watchdog
from analytics_platform.ingest import SOURCES

INGEST, REBUILD, REPORT, WATCH = "ingest_everything", "rebuild_days", "publish_reports", "watch"

ARRIVALS = dg.AssetSelection.keys(*([layer, source] for source in SOURCES for layer in ("raw", "cleaned")))
"""Assets that take in what arrived; all others are built from them."""


def build_jobs() -> Sequence[UnresolvedAssetJobDefinition]:
    """`ingest_everything` takes in what arrived; `rebuild_days` builds all tables of a range of days.

    `publish_reports` writes the findings, `watch` judges what is stored and changes nothing.
    """
    daily = dg.AssetSelection.groups("cleaned", "sessionized", "star", "marts", "ops") - ARRIVALS
    return [
        dg.define_asset_job(INGEST, ARRIVALS, description="Take in whatever arrived."),
        dg.define_asset_job(REPORT, dg.AssetSelection.groups("reports"), description="Write the findings."),
        dg.define_asset_job(REBUILD, daily, description="Build all tables for a range of days."),
        dg.define_asset_job(WATCH, dg.AssetSelection.checks(watchdog), description="Judge what is stored."),
    ]
