"""The findings report as an asset: files for people, and the same plots in the Dagster UI."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.errors import UserError
from analytics_platform.lake import Lake
from analytics_platform.orchestration.assets.metadata import producers_of, python_files
from analytics_platform.orchestration.assets.tables import POOL
from analytics_platform.orchestration.resources import WarehouseResource
from analytics_platform.orchestration.retries import failure
from analytics_platform.reports import queries
from analytics_platform.reports.queries import FINDINGS
from analytics_platform.reports.render import data_url, escape_markdown
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_left
from analytics_platform.sources.registry import SOURCES

if TYPE_CHECKING:
    from analytics_platform.reports.findings import Report

_SOURCES = sorted({key for table in FINDINGS for key in producers_of(table)})


@dg.asset(
    key=["reports", "findings"],
    description=(
        "What the marts say, for people: daily trends, funnel, channels, devices, top products, product lists, views "
        "that become purchases, customers, unknown users and data quality, each with a plot, a small table and one "
        "sentence. Written to DATA_DIR/reports as findings.md, with its plots beside it, and as findings.html, which "
        "holds everything."
    ),
    deps=_SOURCES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="reports",
    owners=["team:analytics"],
    kinds={"markdown", "matplotlib"},
    tags={"layer": "reports"},
    metadata=python_files(__file__, queries.__file__),
    pool=POOL,
)
def findings(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[WarehouseResource],
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
) -> dg.MaterializeResult[None]:
    """Read the marts, write the report, show its plots."""
    # With matplotlib, which only this asset needs.
    from analytics_platform.reports.findings import make_report, read_facts, write_report

    as_of = dt.datetime.now(dt.UTC)
    folder = settings.reports_dir.resolve()
    if not _all_exist(warehouse):  # tables that were never filled are made, empty, as the models do with their inputs
        with warehouse.session() as session:
            session.ensure(*(CONTRACTS[table] for table in FINDINGS))
    limit = settings.max_error_rate
    try:
        landed = find_left(SOURCES.values(), settings, lake)
    except UserError as error:  # of a bucket that cannot be reached
        raise failure(error) from None
    with warehouse.session(read_only=True) as session:
        report = make_report(read_facts(session, as_of, limit, settings.shop_currency, landed), as_of, limit)
    try:
        write_report(report, folder)
    except OSError as error:
        what = f"The report {error.filename or folder / 'findings.html'} cannot be written ({error.strerror})"
        remedy = "make room, or correct the rights of the folder, and run again"
        raise dg.Failure(f"{what}: {remedy}.", allow_retries=False) from None
    for section in report.sections:
        context.log.info(f"{section.title}: {section.sentence}")
    return dg.MaterializeResult(metadata=_metadata(report, folder))


def _all_exist(warehouse: WarehouseResource) -> bool:
    if not warehouse.warehouse().exists():
        return False
    with warehouse.session(read_only=True) as session:
        return set(FINDINGS) <= session.tables()


def _metadata(report: "Report", folder: Path) -> Mapping[str, dg.MetadataValue]:
    """Plots with their sentences, headline figures, and where the files are."""
    shown: dict[str, dg.MetadataValue] = {"about": dg.MetadataValue.text(report.about)}
    shown |= {name.lower(): dg.MetadataValue.text(value) for name, value in report.figures}
    for section in report.sections:
        shown[section.title] = dg.MetadataValue.text(section.sentence)
        if section.plot is not None:
            picture = f"![{escape_markdown(section.title)}]({data_url(section.plot.wide)})"
            shown[f"{section.title} (plot)"] = dg.MetadataValue.md(f"{escape_markdown(section.sentence)}\n\n{picture}")
    shown["findings.html"] = dg.MetadataValue.path(folder / "findings.html")
    shown["findings.md"] = dg.MetadataValue.path(folder / "findings.md")
    return shown
