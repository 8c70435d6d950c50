from __future__ import annotations

import logging
from email import message_from_bytes, policy

import pytest

from analytics_platform.orchestration.alerts import messages
from analytics_platform.orchestration.alerts.messages import DeliveryError, mail, post
from analytics_platform_tests.orchestration.receivers import serve_mail, serve_webhook


def test_a_webhook_gets_the_document_and_no_log_its_address(caplog: pytest.LogCaptureFixture) -> None:
    with serve_webhook() as hook, caplog.at_level(logging.DEBUG):
        post(hook.url, {"text": "hé"})

    assert hook.messages == [{"text": "hé"}]
    assert "s3cretpath" not in caplog.text


@pytest.mark.parametrize("status", [301, 404, 429, 500])
def test_any_other_answer_than_taken_is_a_refusal_without_the_address(status: int) -> None:
    with serve_webhook() as hook, pytest.raises(DeliveryError) as error:
        hook.status = status
        post(hook.url, {})

    assert str(error.value) == f"the webhook answered {status}: check ALERT_WEBHOOK_URL"


def test_a_webhook_that_answers_without_end_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "WEBHOOK_SECONDS", 0.3)
    with serve_webhook() as hook, pytest.raises(DeliveryError, match="did not answer within"):
        hook.status = "slow"
        post(hook.url, {})


def test_a_webhook_that_is_not_there_is_a_refusal_without_the_address() -> None:
    with pytest.raises(DeliveryError, match="cannot be reached: check ALERT_WEBHOOK_URL"):
        post("http://127.0.0.1:9/services/s3cretpath", {})


def test_a_mail_arrives_with_its_subject_and_body() -> None:
    with serve_mail() as server:
        mail(server.url, "team@shop.example", "Failed: marts/x", "Größe: 7 <rows>\n")

    letter = message_from_bytes(server.mails[0].encode(), policy=policy.default)
    assert letter["To"] == "team@shop.example"
    assert letter["Subject"] == "Failed: marts/x"
    body = letter.get_body()
    assert body is not None
    assert body.get_content().strip() == "Größe: 7 <rows>"


def test_a_password_is_not_sent_to_a_server_without_tls() -> None:
    with serve_mail() as server, pytest.raises(DeliveryError, match="offers no TLS"):
        mail(server.url.replace("://", "://bot:hunter22@"), "team@shop.example", "s", "b")

    assert not any("AUTH" in command for command in server.commands)


def test_a_refused_mailbox_is_a_refusal() -> None:
    with serve_mail() as server, pytest.raises(DeliveryError, match="did not take the mail"):
        server.refuses = True
        mail(server.url, "nobody@shop.example", "s", "b")
