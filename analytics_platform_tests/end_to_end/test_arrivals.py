"""With `dagster dev` running, what arrives reaches the marts of its days without a click."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from analytics_platform.connectors.sqs import Queue
from analytics_platform.demo.servers.start import start_queue
from analytics_platform.settings import load_settings
from analytics_platform.warehouse import open_warehouse
from analytics_platform_tests.end_to_end.dagster_dev import DagsterServer, dagster_dev
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.orchestration.receivers import serve_webhook

NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.date()
FILE_DAY = TODAY - dt.timedelta(days=4)  # not among the days that an event of today touches
UNTOUCHED_DAY = FILE_DAY - dt.timedelta(days=4)

BUILT_DAYS = """
query BuiltDays($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } }
  } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"


def _message(number: int) -> str:
    item = {"item_id": "p1", "item_name": "Pillow", "price": 10, "item_list_name": "spring"}
    event = {"event_name": "view_item_list", "platform": "IOS", "user_id": str(1 + number), "items": [item]}
    return json.dumps(event | {"event_timestamp": NOW.isoformat()})


def _built(server: DagsterServer, day: dt.date) -> bool:
    """Whether Dagster knows the day of marts/daily_trends as materialized."""
    answer = server.ask(BUILT_DAYS, key={"path": ["marts", "daily_trends"]})
    ranges = answer["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]
    wanted = f"{day}"
    return any(r["startKey"] <= wanted <= r["endKey"] and r["status"] == "MATERIALIZED" for r in ranges)


def _all_ended_well(server: DagsterServer) -> bool:
    runs = server.ask(RUNS)["runsOrError"]["results"]
    assert all(run["status"] not in ("FAILURE", "CANCELED") for run in runs), runs
    return all(run["status"] == "SUCCESS" for run in runs)


def test_a_file_and_messages_reach_the_marts_of_their_days_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    landing = data / "landing" / "clickstream"
    landing.mkdir(parents=True)
    with start_queue() as queue_settings, serve_webhook() as hook:
        for name, value in queue_settings.items():
            monkeypatch.setenv(name, value)
        environment = {
            "DATA_DIR": str(data),
            "PARTITION_START": f"{UNTOUCHED_DAY}",
            "AUTOMATION": "true",
            "ALERT_WEBHOOK_URL": hook.url,
            "EXPECTS_ORDERS": "false",
            "SENSOR_SECONDS": "20",  # both are loaded at the second look, and one run builds their days
        }
        landing.joinpath("late.csv").write_text(clickstream(40, day=f"{FILE_DAY}"), "utf-8")
        Queue(queue_settings["SQS_QUEUE_URL"], queue_settings["AWS_ENDPOINT_URL"]).send(map(_message, range(5)))
        with dagster_dev(tmp_path, environment) as server:
            for day in (FILE_DAY, TODAY):
                server.wait_for(f"building {day}", lambda day=day: _built(server, day) and _all_ended_well(server))
            assert not _built(server, UNTOUCHED_DAY)
        assert hook.messages == []
    with open_warehouse(load_settings(data_dir=data)).session(read_only=True) as session:
        trends = session.rows("SELECT date, events FROM marts.daily_trends WHERE events > 0 ORDER BY date")
        lists = session.rows("SELECT list_id FROM marts.list_performance")
    assert trends == [(FILE_DAY, 40), (TODAY, 5)]
    assert lists == [("spring",)]
