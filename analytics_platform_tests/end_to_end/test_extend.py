"""What docs/extend.md promises, done in a scratch copy of the package: the files it names, and no other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import analytics_platform
from analytics_platform_tests.end_to_end.platform_run import clickstream

PACKAGE = Path(analytics_platform.__file__).parent

CONTRACT = '''

class BrowserDaily(Contract, table="marts.browser_daily", key=("date", "browser"), write="days", partition="date"):
    """One row per day and browser, bots included."""

    date: Day = column("Day (UTC) of the events.")
    browser: Text = column("Browser, unknown where the user agent does not say.")
    events: Whole = column("Events.", ge=1)
'''

SQL = """-- Grain: one row per day and browser.
SELECT
    event_date AS date,
    coalesce(browser, 'unknown') AS browser,
    count(*) AS events
FROM cleaned.events
GROUP BY 1, 2
"""


def _python(scratch: Path, data: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"PYTHONPATH": str(scratch), "DATA_DIR": str(data), "PARTITION_START": "2026-01-01"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_table_is_one_contract_and_one_sql_file(tmp_path: Path) -> None:
    scratch, data = tmp_path / "scratch", tmp_path / "data"
    shutil.copytree(PACKAGE, scratch / "analytics_platform", ignore=shutil.ignore_patterns("__pycache__"))
    with (scratch / "analytics_platform" / "contracts" / "marts.py").open("a", encoding="utf-8") as contracts:
        contracts.write(CONTRACT)
    (scratch / "analytics_platform" / "models" / "marts" / "browser_daily.sql").write_text(SQL, "utf-8")
    landing = data / "landing" / "clickstream"
    landing.mkdir(parents=True)
    (landing / "day.csv").write_text(clickstream(100), "utf-8")

    select = '+key:"marts/browser_daily"'
    command = ["-m", "analytics_platform.cli.main", "materialize", "--days", "2026-03-01...2026-03-01"]
    printed = _python(scratch, data, *command, "--select", select)
    read = "import analytics_platform as a; print(a.__file__, a.read('marts.browser_daily').to_dict('records'))"

    assert "marts.browser_daily" in printed
    found = _python(scratch, data, "-c", read)
    assert found.startswith(str(scratch))
    assert "'browser': 'unknown', 'events': 100" in found
