"""The session counts that Apache DataFu expects for its test cases."""

from __future__ import annotations

import csv
from pathlib import Path

from analytics_platform_tests.kit import built_platform, click


def test_events_are_in_the_sessions_that_datafu_puts_them_in(conformance_data: Path, tmp_path: Path) -> None:
    with (conformance_data / "sessionize_30m" / "datafu_cases.csv").open(newline="") as file:
        cases = list(csv.DictReader(file))
    rows = [click(case["client_id"], case["timestamp"], expected=case["expected_session_no"]) for case in cases]
    with built_platform(tmp_path, rows) as session:
        counts = session.rows("SELECT client_id, count(*) FROM sessionized.sessions GROUP BY 1 ORDER BY 1")
        members = session.rows(
            """
            SELECT
                CAST(json_extract_string(rows.extra, '$.expected') AS BIGINT) AS expected,
                dense_rank() OVER (PARTITION BY entries.client_id ORDER BY entries.started_at) AS found
            FROM sessionized.session_events AS entries
            JOIN cleaned.clickstream AS rows USING (event_id)
            """
        )
    assert counts == [("1", 2), ("2", 5), ("3", 1)]
    assert len(members) == 17
    assert [pair for pair in members if pair[0] != pair[1]] == []
