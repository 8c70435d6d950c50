"""Runs are started, followed to their end and listed, on a real webserver; what is wrong is said in one sentence."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from streamlit.testing.v1 import AppTest

from analytics_platform.orchestration import jobs
from analytics_platform.reports.dashboard import dagster_api
from analytics_platform.reports.dashboard.dagster_api import INGEST, REBUILD, DagsterApi, DagsterError
from analytics_platform.reports.dashboard.runs import RANGE, LogLine, Run
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import open_warehouse
from analytics_platform_tests.reports.dashboard.servers import dagster_webserver, free_port
from analytics_platform_tests.reports.dashboard.shop import LAST, fill, insert

PATIENCE_S = 60.0
DAYS = DayRange(dt.date(2026, 2, 1), dt.date(2026, 2, 2))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterApi]:
    code = ["-f", str(Path(__file__).with_name("small_location.py"))]
    with dagster_webserver(tmp_path_factory.mktemp("api"), code) as url:
        yield DagsterApi(url)


def follow(api: DagsterApi, run_id: str) -> tuple[list[Run], list[LogLine]]:
    """What was seen of a run, look by look, until it ended."""
    seen: list[Run] = []
    lines: list[LogLine] = []
    cursor, ends = None, time.monotonic() + PATIENCE_S
    while not seen or not seen[-1].has_ended:
        assert time.monotonic() < ends, lines
        run, found, cursor = api.follow(run_id, cursor)
        seen.append(run)
        lines.extend(found)
        time.sleep(0.1)
    return seen, [*lines, *api.follow(run_id, cursor)[1]]


def test_jobs_and_tags_are_called_as_in_the_platform() -> None:
    assert (INGEST, REBUILD, *RANGE) == (jobs.INGEST, jobs.REBUILD, jobs.RANGE_START, jobs.RANGE_END)


def test_a_run_is_started_and_followed_to_its_end(api: DagsterApi) -> None:
    run_id = api.start(INGEST)
    seen, lines = follow(api, run_id)

    last = seen[-1]
    assert (last.run_id, last.job, last.status, last.days, len(last.planned)) == (run_id, INGEST, "SUCCESS", "", 2)
    assert [step.name for step in last.steps] == ["arrivals", "after"]
    assert any(run.status == "STARTED" for run in seen)
    assert last.seconds is not None and last.seconds >= 1
    told = [(line.step, line.text) for line in lines]
    assert told.count(("arrivals", "12 <b>rows</b> loaded")) == 1  # no line is missed, none is shown twice
    assert ("arrivals", "started") in told and ("after", "started") in told
    assert any(step == "arrivals" and text.startswith("done in 1") for step, text in told)


def test_a_failure_is_reported_in_the_words_of_its_error(api: DagsterApi) -> None:
    run_id = api.start(REBUILD, DAYS)
    seen, lines = follow(api, run_id)

    assert seen[-1].status == "FAILURE" and seen[-1].days == "2026-02-01 – 2026-02-02"
    assert "building 2026-02-01 to 2026-02-02" in [line.text for line in lines]
    (failure,) = [line for line in lines if line.kind == "ExecutionStepFailureEvent"]
    assert failure.text == "The shop's database is away: start it."
    assert not any("Traceback" in line.text for line in lines)
    assert {step.name: step.status for step in seen[-1].steps} == {"days": "SUCCESS", "broken": "FAILURE"}
    newest, *older = api.runs(10)
    assert newest.run_id == run_id and run_id not in {run.run_id for run in older}
    assert newest.steps == seen[-1].steps and newest.created_at.utcoffset() == dt.timedelta(0)


def test_the_page_builds_what_it_loaded_and_says_of_a_failed_run_that_it_failed(
    api: DagsterApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_URL", api.url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PARTITION_START", "2026-01-01")
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # Streamlit puts its page there
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        fill(session)
        insert(session, "ops.batch_days", [{"batch_id": "b", "source": "web_logs", "event_date": LAST}])
    script = "from analytics_platform.reports.dashboard.views import pipeline\npipeline.show()\n"
    page = AppTest.from_string(script, default_timeout=PATIENCE_S).run()
    page.button(key="start").click().run()
    ends = time.monotonic() + PATIENCE_S
    while "start again" not in (said := "\n".join(each.value for each in page.text)):
        assert time.monotonic() < ends and not page.exception and not page.error, said
        page.run()
    assert "The days that it changes are built now: see below." in said
    assert "show the new figures" not in said


def test_unknown_runs_and_jobs_are_reported(api: DagsterApi) -> None:
    with pytest.raises(DagsterError, match="knows no run nothing: it was deleted, or is another server's"):
        api.follow("nothing")
    with pytest.raises(DagsterError, match=r"has no job sweep: see .*/locations whether its code location loaded"):
        api.start("sweep")


def test_a_server_that_is_down_is_reported() -> None:
    api = DagsterApi(f"http://127.0.0.1:{free_port()}")
    for ask in (lambda: api.start(INGEST), lambda: api.runs(1), lambda: api.follow("r")):
        with pytest.raises(DagsterError, match=r"Dagster does not answer at http.*: start it .*, or set DAGSTER_URL\."):
            ask()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<html>a shop</html>", "is not Dagster's webserver: check DAGSTER_URL"),
        (404, b"", "answered 404: check DAGSTER_URL"),
        (200, b"[]", "did not understand the query: is it another version"),
        (200, b'{"errors": [{"message": "Cannot query field"}]}', "did not understand the query"),
    ],
)
def test_another_server_is_reported(status: int, body: bytes, sentence: str) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DagsterError, match=sentence) as error:
            DagsterApi(f"http://127.0.0.1:{server.server_port}").runs(1)
        server.shutdown()
    assert "\n" not in str(error.value)


def test_an_invalid_address_is_reported() -> None:
    with pytest.raises(DagsterError, match="set DAGSTER_URL"):
        DagsterApi("http://[").runs(1)


def test_a_start_that_is_not_answered_in_time_is_found_again(api: DagsterApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_api, "START_TIMEOUT_S", 0.5)  # starting a process takes longer
    run_id = api.start(INGEST)

    assert [run.run_id for run in api.runs(1)] == [run_id]
    assert follow(api, run_id)[0][-1].status == "SUCCESS"
