"""What is reported, through Dagster: runs on an instance, the sensor's ticks, receivers on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.orchestration.alerts.sensor import alerts_sensor
from analytics_platform.settings import Settings, load_settings
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream
from analytics_platform_tests.orchestration.receivers import MailServer, Webhook, serve_mail, serve_webhook


class Monitor:
    """An instance, a job with one asset and its checks, and the sensor with its cursor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None

    def run(self, fails: str = "", stops: bool = False, error: str = "", sample: str = "x") -> None:
        """One run; checks in `fails` fail, `stops` fails the step too, `error` fails it for another reason."""

        @dg.asset(key=["marts", "tiny"], check_specs=[dg.AssetCheckSpec(n, asset=["marts", "tiny"]) for n in NAMES])
        def tiny() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
            for name in NAMES:
                yield _result(name, name not in fails, sample)
            if stops or error:
                raise dg.Failure(error or "a rule was broken", allow_retries=False)
            yield dg.MaterializeResult()

        dg.materialize([tiny], instance=self.instance, raise_on_error=False)

    def tick(self) -> dg.SensorResult:
        """One look of the sensor."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = alerts_sensor(self.settings)(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result


NAMES = ("rule", "other", "warns")


def _result(name: str, passed: bool, sample: str) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.WARN if name == "warns" else dg.AssetCheckSeverity.ERROR
    rows = dg.MetadataValue.table([dg.TableRecord({"raw": sample})])
    metadata = {"failing rows": 3, "sample": rows, "what to do": "Ask the shop."}
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, metadata=metadata)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with serve_webhook() as receiver:
        yield receiver


@pytest.fixture
def monitor(tmp_path: Path, hook: Webhook) -> Monitor:
    return Monitor(load_settings(data_dir=tmp_path, alert_webhook_url=hook.url, dagster_url="https://dagster.example"))


def _titles(hook: Webhook) -> list[str]:
    return [message["blocks"][0]["text"]["text"] for message in hook.messages]


def test_a_check_that_fails_its_run_too_is_one_message(monitor: Monitor, hook: Webhook) -> None:
    monitor.run(fails="rule", stops=True)
    monitor.tick()
    monitor.tick()

    assert _titles(hook) == ["Failed: marts/tiny: check rule"]
    body = json.dumps(hook.messages)
    assert "failing rows: 3" in body
    assert "raw=x" in body
    assert "what to do: Ask the shop." in body
    assert "https://dagster.example/runs/" in body


def test_a_check_that_fails_in_a_run_that_succeeds_is_reported_too(monitor: Monitor, hook: Webhook) -> None:
    monitor.run(fails="other")
    monitor.tick()

    assert _titles(hook) == ["Failed: marts/tiny: check other"]


def test_batches_that_a_stopped_gate_could_not_load_are_named_whole(monitor: Monitor, hook: Webhook) -> None:
    ids = [f"{number:016x}" for number in range(15)]
    lines = [f"batches_loaded: Batch {batch} ({batch}.csv) of tiny is not loaded: it is cut." for batch in ids]
    monitor.run(fails="rule", error="\n".join(["error_rate: too many", *lines]))
    monitor.tick()

    assert _titles(hook) == ["Failed: marts/tiny: check rule and 1 more"]
    body = json.dumps(hook.messages)
    assert "marts/tiny: check batches_loaded" in body and [batch for batch in ids if batch not in body] == []


def test_a_step_that_fails_for_another_reason_is_reported_with_its_words(monitor: Monitor, hook: Webhook) -> None:
    monitor.run(error="the disk is full")
    monitor.tick()

    assert _titles(hook) == ["Failed: step marts__tiny"]
    assert "the disk is full" in json.dumps(hook.messages)


def test_repeated_failures_are_one_message_and_recovery_another(monitor: Monitor, hook: Webhook) -> None:
    for _ in range(3):
        monitor.run(fails="rule", stops=True)
        monitor.tick()
    monitor.run()
    monitor.tick()

    assert _titles(hook) == ["Failed: marts/tiny: check rule", "Recovered: marts/tiny: check rule"]
    assert "after 3 failures since" in json.dumps(hook.messages[1])


def test_a_run_that_fails_and_one_that_succeeds_before_anybody_looks_are_reported_in_order(
    monitor: Monitor, hook: Webhook
) -> None:
    monitor.run(fails="rule")
    monitor.run()
    monitor.tick()

    assert [title.split(":")[0] for title in _titles(hook)] == ["Failed", "Recovered"]


def test_a_warning_is_not_reported(monitor: Monitor, hook: Webhook) -> None:
    monitor.run(fails="warns")
    monitor.tick()

    assert hook.messages == []


def test_a_run_that_ended_before_any_step_began_is_reported(monitor: Monitor, hook: Webhook) -> None:
    run = monitor.instance.create_run_for_job(dg.job(name="nightly")(lambda: None))
    monitor.instance.report_run_failed(run, "the process is gone")
    monitor.tick()

    assert _titles(hook) == ["Failed: job nightly"]
    assert "the process is gone" in json.dumps(hook.messages)


@pytest.mark.parametrize("status", [500, 404])
def test_a_refused_message_is_logged_kept_and_sent_as_soon_as_it_is_taken(
    monitor: Monitor, hook: Webhook, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = status
    monitor.run(fails="rule")
    waiting = monitor.tick()
    hook.status = 200
    done = monitor.tick()

    assert _titles(hook) == ["Failed: marts/tiny: check rule"]
    assert "1 to send" in str(waiting.skip_reason)
    assert "0 to send" in str(done.skip_reason)
    logged = capfd.readouterr().err
    assert f"An alert could not be sent and is tried again: the webhook answered {status}" in logged
    assert "s3cretpath" not in logged + str(waiting.cursor)


def test_a_receiver_that_keeps_failing_is_tried_less_and_less_often(monitor: Monitor, hook: Webhook) -> None:
    hook.status = 500
    monitor.run(fails="rule")
    for _ in range(10):
        monitor.tick()

    assert hook.asked == 2


def test_an_unreadable_cursor_starts_anew(monitor: Monitor, hook: Webhook) -> None:
    monitor.cursor = "gone"
    monitor.run(fails="rule")
    monitor.tick()

    assert len(hook.messages) == 1


def test_secrets_in_error_messages_are_not_reported(tmp_path: Path, hook: Webhook) -> None:
    monitor = Monitor(
        load_settings(
            data_dir=tmp_path,
            alert_webhook_url=hook.url,
            mongodb_uri="mongodb://ann:pa55word@db",
            redis_url="redis://r",
        )
    )
    monitor.run(error=f"cannot reach postgresql://x:hunter22@db with pa55word or {hook.url}")
    monitor.tick()

    body = json.dumps(hook.messages)
    assert "cannot reach" in body
    for secret in ("pa55word", "hunter22", "s3cretpath"):
        assert secret not in body
        assert secret not in str(monitor.cursor)


def test_hostile_rows_reach_the_channel_as_text(monitor: Monitor, hook: Webhook) -> None:
    monitor.run(fails="rule", sample="<!channel> ``` *bold* \x1b[31m <https://evil.example|click>")
    monitor.tick()

    body = json.dumps(hook.messages)
    assert "&lt;!channel&gt; ''' *bold*" in body
    assert "<!channel>" not in body
    assert "\\u001b" not in body


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with serve_mail() as server:
        yield server


def test_mail_is_sent_although_the_webhook_refuses(tmp_path: Path, hook: Webhook, mails: MailServer) -> None:
    monitor = Monitor(
        load_settings(
            data_dir=tmp_path, alert_webhook_url=hook.url, alert_email="team@shop.example", smtp_url=mails.url
        )
    )
    hook.status = 500
    monitor.run(fails="rule", stops=True)
    monitor.tick()
    monitor.tick()

    assert len(mails.mails) == 1
    assert "Subject: Failed: marts/tiny: check rule" in mails.mails[0]


def test_without_a_receiver_the_sensor_says_so(tmp_path: Path) -> None:
    monitor = Monitor(load_settings(data_dir=tmp_path))

    assert "no receiver" in str(monitor.tick().skip_reason)


def test_runs_that_a_check_stops_are_reported_once_with_the_check_and_once_when_it_passes(
    tmp_path: Path, hook: Webhook
) -> None:
    """End to end: a file of which 5.8 % are rejected, twice, then a threshold that allows it."""
    platform = DagsterPlatform(tmp_path, alert_webhook_url=hook.url)
    monitor = Monitor(platform.settings)
    monitor.instance = platform.instance
    platform.drop("bad.csv", clickstream(1000, without_client=58))
    for limit in (0.05, 0.05, 0.1):
        platform.configure(max_error_rate=limit, alert_webhook_url=hook.url)
        platform.materialize("2026-03-01", "2026-03-01", select='key:"raw/clickstream"+1')
        monitor.tick()

    name = "cleaned/clickstream: check error_rate"
    assert _titles(hook) == [f"Failed: {name}", f"Recovered: {name}"]
    assert "58 of 1,000 rows rejected (5.80%)" in json.dumps(hook.messages[0])
    assert "analytics-platform replay" in json.dumps(hook.messages[0])
