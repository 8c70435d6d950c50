from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from analytics_platform.orchestration.checks.contract import contract_result
from analytics_platform.transform import Model, Query, plan
from analytics_platform.warehouse import RuleResult
from analytics_platform.warehouse import build as built
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform

KEY = dg.AssetKey(["marts", "daily_trends"])
KEPT = RuleResult("date__not_null", "date is never missing.", "error", 10, 0)
BROKEN = RuleResult(
    "sessions__greater_than_or_equal_to", "At least 0.", "error", 10, 2, ({"sessions": "-1"},), 'NOT ("sessions" >= 0)'
)
DOUBTFUL = RuleResult("revenue_known", "Revenue is known.", "warn", 10, 1, ({"revenue": ""},), "NOT (revenue > 0)")


def test_a_table_that_keeps_its_contract_has_a_green_check_with_a_row_per_rule() -> None:
    check = contract_result(KEY, [KEPT], "SELECT 1")

    assert check.passed
    assert [record.data["rule"] for record in check.metadata["rules"].value.records] == ["date__not_null"]
    assert check.description is None
    assert "sample" not in check.metadata


def test_a_broken_rule_stands_first_with_its_share_sample_remedy_and_sql_over_what_was_not_published() -> None:
    check = contract_result(KEY, [KEPT, BROKEN], "SELECT * FROM star.fact_sessions")

    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    first = check.metadata["rules"].value.records[0].data
    assert (first["rule"], first["checked"], first["failing"], first["share"]) == (BROKEN.rule, "10", "2", "20.00%")
    sample = check.metadata["sample"].value.records[0].data
    assert sample == {"rule": BROKEN.rule, "value": "-1", "row": '{"sessions": "-1"}'}
    further = " ".join(str(check.metadata["look further"].value).split())
    assert "FROM ( SELECT * FROM star.fact_sessions ) WHERE NOT" in further
    assert "Nothing of marts.daily_trends was published" in str(check.metadata["what to do"].value)
    assert check.description == f"{BROKEN.rule}: 2 of 10 rows"


@pytest.mark.parametrize(
    ("results", "severity"),
    [([DOUBTFUL], dg.AssetCheckSeverity.WARN), ([DOUBTFUL, BROKEN], dg.AssetCheckSeverity.ERROR)],
)
def test_rules_that_only_warn_never_fail_the_run(results: list[RuleResult], severity: dg.AssetCheckSeverity) -> None:
    check = contract_result(KEY, results, "")

    assert not check.passed
    assert check.severity is severity


def test_a_table_that_was_not_published_names_the_command_for_the_days_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_an_empty_row(model: Model, *given: Any) -> Query:
        made = plan(model, *given)
        day = "REPLACE (DATE '2026-03-01' AS date)" if model.name == "marts.daily_trends" else ""
        return replace(made, sql=f"SELECT made.* {day} FROM ({made.sql}) AS made RIGHT JOIN (SELECT 1) ON true")

    monkeypatch.setattr(built, "plan", with_an_empty_row)
    by_day, whole = (dg.AssetKey(path) for path in (["marts", "daily_trends"], ["ops", "orphans"]))
    select = f'key:"{by_day.to_user_string()}" or key:"{whole.to_user_string()}"'
    result = DagsterPlatform(tmp_path).materialize("2026-03-01", "2026-03-02", select)
    said = {
        check.asset_key: str(check.metadata["what to do"].value)
        for check in result.get_asset_check_evaluations()
        if check.check_name == "contract"
    }
    assert said.keys() == {by_day, whole}
    for words in said.values():
        assert words.endswith("then run `analytics-platform materialize --days 2026-03-01...2026-03-02`.")
