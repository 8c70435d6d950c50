from __future__ import annotations

from pathlib import Path

from analytics_platform.definitions import build_definitions
from analytics_platform.orchestration.checks.business import DESCRIPTIONS
from analytics_platform_tests.end_to_end.platform_run import Platform, clickstream

DAY = "2026-03-01"


def test_the_watchdog_is_a_job_that_judges_and_builds_nothing(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.drop("a.csv", clickstream(20))
    assert platform.materialize(DAY, DAY).success

    job = build_definitions(platform.settings).resolve_job_def("watch")
    result = job.execute_in_process(instance=platform.instance)

    assert result.success
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == dict.fromkeys(DESCRIPTIONS, True)
    assert not [event for event in result.all_events if event.is_step_materialization]
