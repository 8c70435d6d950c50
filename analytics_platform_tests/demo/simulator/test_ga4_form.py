"""A GA4 export of the simulated web traffic gives the sessions, orders and items of its CSV form."""

import datetime as dt
import json
from pathlib import Path

from analytics_platform.transform import DayRange
from analytics_platform_tests.demo.simulator.conftest import START, Traffic
from analytics_platform_tests.demo.simulator.reader import Row
from analytics_platform_tests.ga4_rows import ga4_row
from analytics_platform_tests.kit import Row as CsvRow
from analytics_platform_tests.kit import build, click, load_rows, needed, open_with_tables
from analytics_platform_tests.sources.ga4_events.test_export_rows import TABLES, load, without_form

EARLIER = dt.timedelta(days=364)
"""The simulated days may lie ahead of the clock, and what is later than its arrival is rejected."""
DAYS = DayRange(START - EARLIER, START - EARLIER + dt.timedelta(days=2))


def in_both_forms(row: Row) -> tuple[CsvRow, str]:
    at = (row.at - EARLIER).replace(tzinfo=None).isoformat()
    name, page, referrer = (row.values[column] or "" for column in ("event_name", "page_url", "referrer"))
    data = row.data
    params = {key: value if isinstance(value, str | int | float) else json.dumps(value) for key, value in data.items()}
    params |= {"page_location": page, "page_referrer": referrer}
    items = json.loads(params.pop("items", "[]"))  # type: ignore[arg-type]
    csv = click(row.client_id, f"{at}Z", name, data=data, page_url=page, referrer=referrer, user_agent="")
    return csv, ga4_row(row.client_id, at, name, params=params, items=items)


def test_a_ga4_export_of_the_demos_traffic_gives_the_tables_of_its_csv_form(traffic: Traffic, tmp_path: Path) -> None:
    rows = [row for row in traffic.total.events["clickstream"] if (row.at - EARLIER).date() <= DAYS.last]
    both, found = [in_both_forms(row) for row in rows], []
    for form in range(2):
        platform = open_with_tables(tmp_path / str(form), shop_currency="EUR")
        with platform.session() as session:
            if form:
                load(platform, session, "a.jsonl", [row for _, row in both])
            else:
                load_rows(platform, session, [row for row, _ in both])
            build(session, DAYS, platform.settings, needed(*TABLES))
            found.append({name: without_form(session, name) for name in TABLES})
    for name in TABLES:
        assert found[0][name] == found[1][name] != [], name
