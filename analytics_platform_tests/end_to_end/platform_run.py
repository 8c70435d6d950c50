"""Runs the platform as users do, through its Dagster definitions, in a new folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.definitions import build_definitions
from analytics_platform.settings import Settings, load_settings
from analytics_platform.warehouse import open_warehouse
from analytics_platform_tests.kit import HISTORIES

FIRST_DAY = dt.date(2026, 2, 1)
HEADER = "client_id,page_url,referrer,timestamp,event_name,event_data,user_agent"


class DagsterPlatform:
    """The platform on an empty `DATA_DIR`, with a Dagster instance in memory."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.configure(**settings)
        self.instance = dg.DagsterInstance.ephemeral()

    def configure(self, **settings: object) -> None:
        """Change settings between runs."""
        # Each step makes Dagster list all days since the first partition: with 2010 that took a tenth of a run.
        self.settings: Settings = load_settings(**{"data_dir": self.folder, "partition_start": FIRST_DAY, **settings})

    def drop(self, name: str, content: str | bytes) -> Path:
        """Put a file into the landing folder."""
        path = self.settings.landing_dir / "clickstream" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def materialize(self, first: str, last: str, select: str = "*") -> dg.ExecuteInProcessResult:
        """`dagster asset materialize --select … --partition-range first...last`."""
        definitions = build_definitions(self.settings)
        job = dg.define_asset_job("run", dg.AssetSelection.from_string(select))
        resolved = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("run")
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        return resolved.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """All rows of a query on the warehouse."""
        with open_warehouse(self.settings).session(read_only=True) as session:
            return session.rows(sql)

    def contents(self, *layers: str) -> dict[str, list[tuple[object, ...]]]:
        """Table → its sorted rows, for the tables of the layers (all of them without)."""
        with open_warehouse(self.settings).session(read_only=True) as session:
            names = [name for name in CONTRACTS if name in session.tables()]
            return {
                name: sorted(session.rows(f"SELECT * FROM {name}"), key=repr)
                for name in names
                if (not layers or name.partition(".")[0] in layers) and name not in HISTORIES
            }


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    """`asset: check` of the checks of severity ERROR that did not pass."""
    return {
        f"{check.asset_key.to_user_string()}: {check.check_name}"
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    }


def failure_words(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps said."""
    failures = [event for event in result.all_events if event.is_step_failure]
    return "\n".join(str(event.step_failure_data.error_display_string) for event in failures)


def clickstream(rows: int, without_client: int = 0, day: str = "2026-03-01", name: str = "c") -> str:
    """A file with `rows` page views of ten clients, a minute apart; the first `without_client` lack their client."""
    start = dt.datetime.fromisoformat(f"{day}T00:00:00+00:00")
    lines = [HEADER]
    for number in range(rows):
        client = "" if number < without_client else f"{name}{number % 10}"
        time = (start + dt.timedelta(minutes=number)).isoformat()
        lines.append(
            f"{client},https://shop.example/p/{number % 7},,{time},page_viewed,,Mozilla/5.0 (X11; Linux x86_64)"
        )
    return "\n".join(lines) + "\n"
