"""What docs/extend.md promises, done in a scratch copy of the package: the files it names, and no other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

import analytics_platform
from analytics_platform.settings import load_settings
from analytics_platform_tests.end_to_end.platform_run import clickstream

PACKAGE = Path(analytics_platform.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "extend.md").read_text("utf-8")

STOREFRONT = """event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2026-03-01 10:00:00 UTC,view,1004767,53,electronics.smartphone,samsung,251.47,520088904,a
2026-03-01 10:05:00 UTC,cart,1004767,53,electronics.smartphone,samsung,251.47,520088904,a
2026-03-01 10:06:00 UTC,purchase,1004767,53,electronics.smartphone,samsung,251.47,520088904,a
2026-03-01 10:06:00 UTC,purchase,3900821,54,,aqua,33.20,520088904,a
2026-03-01 23:50:00 UTC,view,3900821,54,,aqua,33.20,530496790,b
2026-03-02 00:10:00 UTC,cart,3900821,54,,aqua,33.20,530496790,b
2026-03-02 00:11:00 UTC,remove_from_cart,3900821,54,,aqua,33.20,530496790,b
2026-03-02 09:00:00 UTC,view,1004767,53,electronics.smartphone,samsung,-1,520088904,c
2026-03-02 09:01:00 UTC,view,1004767,53,electronics.smartphone,samsung,240.00,520088904,c
"""
"""Nine rows: two visitors, three visits (one over midnight), two orders, one price below zero."""


def _block(language: str, containing: str) -> str:
    """The code block of the page with this text in it."""
    (found,) = (code for code in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in code)
    return str(found)


class Scratch:
    """A copy of the package, with the data it makes."""

    def __init__(self, root: Path) -> None:
        self.root, self.package, self.data = root, root / "analytics_platform", root / "data"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def add_browser_daily(self) -> None:
        """Add the table that the page shows."""
        with (self.package / "contracts" / "marts_traffic.py").open("a", encoding="utf-8") as contracts:
            contracts.write("\n\n" + _block("python", "class BrowserDaily"))
        (self.package / "models" / "marts" / "browser_daily.sql").write_text(_block("sql", "AS browser"), "utf-8")

    def drop(self, source: str, name: str, text: str) -> None:
        """Put a file into a landing folder."""
        folder = self.data / "landing" / source
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")

    def python(self, *arguments: str) -> str:
        """Run Python on the copy; returns what it prints."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line on the copy."""
        return self._run("-m", "analytics_platform.cli.main", *arguments, **environment)

    def _run(self, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        environment |= {
            "PYTHONPATH": str(self.root),
            "DATA_DIR": str(self.data),
            "PARTITION_START": "2026-01-01",
            "MAX_ERROR_RATE": "0.3",
        }
        command = [sys.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment | given, cwd=self.root)

    def materialize(self, *arguments: str) -> str:
        """Run the command line on the copy."""
        return self.python("-m", "analytics_platform.cli.main", "materialize", *arguments)

    def rows(self, table: str, *columns: str) -> str:
        """The rows of a table, in order, as text."""
        with duckdb.connect(str(load_settings(data_dir=self.data).warehouse_path), read_only=True) as connection:
            found = connection.sql(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL").to_arrow_table()
        return str(found.to_pandas().to_csv(index=False)).strip()


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path)


def test_a_table_is_one_contract_and_one_sql_file(scratch: Scratch) -> None:
    scratch.add_browser_daily()
    scratch.drop("clickstream", "day.csv", clickstream(100))

    printed = scratch.materialize("--days", "2026-03-01...2026-03-01", "--select", '+key:"marts/browser_daily"')

    assert "marts.browser_daily" in printed
    assert scratch.rows("marts.browser_daily", "browser", "events") == "browser,events\nunknown,100"


def test_a_source_of_files_is_one_folder_with_a_contract_and_its_sql(scratch: Scratch) -> None:
    folder = scratch.package / "sources" / "storefront"
    folder.mkdir()
    source, events = _block("python", "class Storefront"), _block("sql", "FROM cleaned.storefront")
    assert len((source + events).splitlines()) <= 60
    (folder / "source.py").write_text(source, "utf-8")
    (folder / "events.sql").write_text(events, "utf-8")
    scratch.drop("storefront", "2026-03.csv", STOREFRONT)

    tables = '+key:"star/fact_orders" or +key:"star/fact_sessions" or +key:"star/dim_product"'
    printed = scratch.materialize("--days", "2026-03-01...2026-03-02", "--select", tables)

    assert "1 of 9 records rejected" in printed  # with a warning, since it is more than five percent
    assert scratch.rows("star.fact_orders", "order_date", "revenue") == (
        "order_date,revenue\n2026-03-01,33.2000\n2026-03-01,251.4700"
    )
    assert scratch.rows("star.fact_sessions", "session_date", "events") == (
        "session_date,events\n2026-03-01,3\n2026-03-01,4\n2026-03-02,1"
    )
    assert scratch.rows("star.dim_product", "product_id", "brand", "price") == (
        "product_id,brand,price\n(not set),,\n1004767,samsung,240.0000\n3900821,aqua,33.2000"
    )
    status = scratch.python("-m", "analytics_platform.cli.main", "status")
    assert "storefront" in status


def test_a_mistake_in_a_declaration_ends_a_command_in_its_sentence(scratch: Scratch) -> None:
    folder = scratch.package / "sources" / "storefront"
    folder.mkdir()
    source = _block("python", "class Storefront")
    (folder / "source.py").write_text(source, "utf-8")
    assert "write sources/storefront/events.sql" in scratch.command("status", COLUMNS="400").stdout

    (folder / "source.py").write_text(source.replace('source="storefront"', 'source="shop"'), "utf-8")
    ended = scratch.command("status")

    assert ended.returncode == 2
    assert ended.stderr == (
        f"analytics-platform: {folder / 'source.py'}: the source shop is in the folder storefront: "
        'write source="storefront".\n'
    )


COLUMN: Mapping[str, tuple[str, str]] = {
    "sources/clickstream/source.py": (
        "    received_at: Instant = column(",
        '    language: Text = column("Language.", nullable=True, source=("language",))\n',
    ),
    "sources/clickstream/events.sql": ("    batch_id\n", "    language,\n"),
    "contracts/base.py": (
        '    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")\n',
        '    language: Text = column("Language.", nullable=True)\n',
    ),
    "contracts/cleaned.py": (
        '    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")\n',
        '    language: Text = column("Language.", nullable=True)\n',
    ),
    "models/cleaned/events.sql": ("    batch_id\nFROM valued", "    language,\n"),
    "contracts/marts_traffic.py": (
        '    events: Whole = column("Events.", ge=1, sums="additive")\n',
        '    languages: Whole = column("Languages.", ge=0, sums="not additive")\n',
    ),
    "models/marts/browser_daily.sql": ("    count(*) AS events", "    count(DISTINCT language) AS languages,\n"),
}
"""File → the text in it before which a line is put."""


def test_a_column_from_file_to_mart_is_the_contracts_and_the_sql_that_carry_it(scratch: Scratch) -> None:
    scratch.add_browser_daily()
    for name, (before, line) in COLUMN.items():
        path = scratch.package / name
        text = path.read_text("utf-8")
        assert text.count(before) == 1, name
        path.write_text(text.replace(before, line + before), "utf-8")
    header, *lines = clickstream(4).splitlines()
    exported = [f"{header},language", *(f"{line},{code}" for line, code in zip(lines, "DDFF", strict=True))]
    scratch.drop("clickstream", "day.csv", "\n".join(exported) + "\n")

    scratch.materialize("--days", "2026-03-01...2026-03-01", "--select", '+key:"marts/browser_daily"')

    assert scratch.rows("marts.browser_daily", "languages", "events") == "languages,events\n2,4"
