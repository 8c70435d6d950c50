"""Credentials go to their own host and nowhere else."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest
from pydantic import SecretStr

from analytics_platform.connectors.rest_api.endpoint import Endpoint, RestError
from analytics_platform.connectors.rest_api.fetch import fetch
from analytics_platform_tests.connectors.rest_api.scripted import (
    QUICK,
    Answer,
    Clock,
    ScriptedApi,
    json_answer,
    scripted_api,
)

KEY = "k3y-s3cr3t"


def guarded(api: ScriptedApi) -> Endpoint:
    """An API with a password in its address, a key in path and query, and a token."""
    url = api.url.replace("http://", f"http://ada:{KEY}@") + f"/{KEY}/all?api_key={KEY}&account=12345678"
    return Endpoint("items", url, SecretStr(f"Bearer {KEY}"))


def holds(text: str) -> bool:
    basic = base64.b64encode(f"ada:{KEY}".encode()).decode()
    return KEY in text or basic in text or "12345678" in text or "ada" in text


def test_credentials_are_sent_to_their_own_host_on_every_page() -> None:
    with scripted_api([json_answer([1], Link="</items?page=2>; rel=next"), json_answer([2])]) as api:
        fetch(guarded(api), limits=QUICK)
    assert [request.headers["authorization"] for request in api.asked] == [f"Bearer {KEY}"] * 2
    assert api.targets[0] == f"/items/{KEY}/all?api_key={KEY}&account=12345678"


def test_user_and_password_of_the_address_are_sent_as_a_header() -> None:
    with scripted_api([json_answer([1])]) as api:
        fetch(Endpoint("items", api.url.replace("://", f"://ada:{KEY}@")), limits=QUICK)
    basic = base64.b64encode(f"ada:{KEY}".encode()).decode()
    assert api.asked[0].headers["authorization"] == f"Basic {basic}"


def test_credentials_do_not_follow_a_redirect_or_a_link_to_another_host() -> None:
    with scripted_api([json_answer([1]), json_answer([2])]) as other:
        target = other.url.replace("127.0.0.1", "localhost")
        script = [Answer(status=302, headers={"Location": target}), json_answer([1], Link=f"<{target}>; rel=next")]
        with scripted_api(script) as api:
            fetch(guarded(api), limits=QUICK)
            fetch(guarded(api), limits=QUICK)
    assert len(other.asked) == 2
    for request in other.asked:
        assert not holds(request.target) and not any(map(holds, request.headers.values()))


def test_credentials_do_not_go_to_another_port_of_the_host() -> None:
    with (
        scripted_api([json_answer([1])]) as other,
        scripted_api([Answer(status=302, headers={"Location": other.url})]) as api,
    ):
        fetch(guarded(api), limits=QUICK)
    assert not any(map(holds, other.asked[0].headers.values()))


def test_credentials_follow_an_upgrade_to_https_and_nothing_follows_a_downgrade() -> None:
    plain = Endpoint("items", "http://api.example/x", SecretStr(KEY))
    safe = Endpoint("items", "https://api.example/x", SecretStr(KEY))
    assert plain.headers_to(httpx.URL("https://api.example/y")) == {"Authorization": KEY}
    assert safe.headers_to(httpx.URL("http://api.example/y")) == {}
    assert safe.headers_to(httpx.URL("https://api.example:444/y")) == {}
    assert safe.headers_to(httpx.URL("https://api.example.evil/y")) == {}


@pytest.mark.parametrize("status", [500, 404, 200])
def test_no_secret_is_in_a_log_or_an_error(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted_api(lambda request: Answer(b"{}", status)) as api:
        with pytest.raises(RestError) as caught:
            fetch(guarded(api), limits=QUICK, sleep=Clock())
        assert f" of {api.server} " in str(caught.value)
        assert not holds(repr(guarded(api)))
    assert not holds(str(caught.value)) and not holds(repr(caught.value))
    assert not holds(caplog.text)


def test_no_secret_is_in_what_is_kept() -> None:
    with scripted_api([json_answer([1])]) as api:
        assert not holds(repr(fetch(guarded(api), limits=QUICK)))


@pytest.mark.parametrize("url", ["", "users", "/etc/passwd", "ftp://x/y", "http://", "http://x:y", f"x://ada:{KEY}@h/"])
def test_an_address_that_is_none_is_reported_without_it(url: str) -> None:
    with pytest.raises(RestError, match=r"items: the address of the API .*: check USERS_API_URL") as caught:
        Endpoint("items", url)
    assert not holds(str(caught.value))


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}ä"])
def test_a_header_that_cannot_be_sent_is_reported_without_its_value(value: str) -> None:
    with pytest.raises(RestError, match="must be one line of ASCII characters") as caught:
        Endpoint("items", "http://api.example/", SecretStr(value))
    assert not holds(str(caught.value))
