"""Secrets of the settings: whatever an address looks like, no place that prints shows what is secret in it."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.cli.commands import run_command
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.orchestration.alerts.incidents import EndedRun, News, Problem
from analytics_platform.orchestration.alerts.messages import DeliveryError, mail, post, to_slack, to_text, write
from analytics_platform.orchestration.alerts.sensor import without_secrets
from analytics_platform.orchestration.assets.cache import best_sellers
from analytics_platform.orchestration.assets.cleaned import gate_asset
from analytics_platform.orchestration.assets.external import with_systems
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import Settings, SettingsError, load_settings, masked
from analytics_platform.shop.best_sellers import invalidate_best_sellers
from analytics_platform.shop.carts import Carts
from analytics_platform.shop.errors import ShopUnavailableError
from analytics_platform.sources.arrivals.collection import collection_of
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.connectors.rest_api.scripted import Answer, scripted_api

FRONT, BACK = "hunter", "s3cret"
"""How every generated secret begins and ends: neither may be seen."""

ANYTHING = st.text(max_size=8).map(lambda middle: f"{FRONT}{middle}{BACK}")
IN_URLS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8).map(lambda text: f"{FRONT}{text}{BACK}")
OPTIONS = st.sampled_from(
    ("password", "sslpassword", "token", "access_token", "api_key", "X-Amz-Signature", "sig", "Key")
)


def shows(text: str) -> bool:
    return FRONT in text or BACK in text


@given(
    secret=ANYTHING, user=st.sampled_from(["", "ada", "ada@shop.example"]), rest=st.sampled_from(["", "/", "/db?x=1"])
)
def test_user_and_password_of_an_address_are_masked_whichever_characters_they_hold(
    secret: str, user: str, rest: str
) -> None:
    shown = masked(f"postgresql://{user}:{secret}@db.example:5432{rest}")

    assert shown == f"postgresql://***@db.example:5432{rest}"


@given(secret=ANYTHING.filter(lambda text: "&" not in text), name=OPTIONS, sign=st.sampled_from("?&#;"))
def test_secret_parameters_of_an_address_are_masked_and_the_others_are_not(secret: str, name: str, sign: str) -> None:
    shown = masked(f"https://api.example/users?limit=5{sign}{name}={secret}&page=2")

    assert shown == f"https://api.example/users?limit=5{sign}{name}=***&page=2" or "@" in secret
    assert not shows(shown) and shown.endswith("***&page=2")


@given(secret=ANYTHING, spaces=st.sampled_from(["=", " = "]), name=st.sampled_from(["password", "sslpassword"]))
def test_passwords_in_keywords_and_values_are_masked(secret: str, spaces: str, name: str) -> None:
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")

    assert masked(f"host=h {name}{spaces}'{quoted}' dbname=d") == f"host=h {name}{spaces}*** dbname=d"


@pytest.mark.parametrize(
    "address", ["duckdb:////data/a@b/w.duckdb", "postgresql://host/db?sslmode=require", "data/lake"]
)
def test_an_address_without_a_secret_is_shown_whole(address: str) -> None:
    assert masked(address) == address


NAMES = sorted(name for name in Settings.model_fields if name.endswith(("_url", "_uri")))


@given(
    secret=ANYTHING,
    name=st.sampled_from(NAMES),
    form=st.sampled_from(["{}", "mysql://ada:{}@h", "x:{}", "http://{} @h"]),
)
def test_a_settings_error_never_shows_an_address(secret: str, name: str, form: str) -> None:
    try:
        found = load_settings(**{name: form.format(secret)})
    except SettingsError as error:
        assert str(error).startswith(f"{name.upper()}=***: ")
        assert not shows(str(error)) and error.__cause__ is None and error.__context__ is None
    else:
        if name != "lake_url":  # a folder
            assert not shows(repr(found))


@pytest.mark.parametrize(
    "name", ["max_error_rate", "shop_timezone", "partition_start", "own_domains", "alert_email", "warehouse_memory"]
)
@pytest.mark.parametrize("form", ["postgresql://u:{}#et@h/d", "https://h/?token={}", "redis://:{},x@h"])
def test_an_address_in_a_setting_that_is_none_is_masked(name: str, form: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(**{name: form.format(f"{FRONT}{BACK}")})
    assert str(caught.value).startswith(f"{name.upper()}=") and not shows(str(caught.value))


ENDINGS = st.sampled_from(
    (
        "ada:{}@127.0.0.1:1/db",
        "{}@127.0.0.1:1/db",
        "ada:{}@127.0.0.1:1/db?connect_timeout=2&sslpassword={}",
        "127.0.0.1:1/db?user=ada&password={}",
    )
)


@st.composite
def environments(draw: st.DrawFn) -> dict[str, str]:
    """Settings with a secret in every address; nothing answers at any of them."""
    ending, secret = draw(ENDINGS), draw(IN_URLS)
    encoded = quote(secret, safe="")
    # libpq takes all but / as it is; others do not, and then the settings refuse it.
    odd = draw(st.booleans())
    words = secret.replace("\\", "\\\\").replace("'", "\\'")
    at, path = ending.format(*[encoded] * 2), ending.format(*[secret if odd else encoded] * 2)
    key_words = f"host=127.0.0.1 port=1 user=ada password='{words}'"
    return {
        "WAREHOUSE_URL": f"postgresql://{path}",
        "SHOP_DATABASE_URL": draw(st.sampled_from((f"postgresql://{path}", key_words))),
        "MONGODB_URI": f"mongodb://ada:{secret if odd else encoded}@127.0.0.1:1/?authMechanismProperties=X:{FRONT}",
        "REDIS_URL": f"redis://{at}".replace("/db", "/0").partition("?")[0],
        "USERS_API_URL": f"http://{at}",
        "USERS_API_AUTHORIZATION": f"Bearer {encoded}",
        "ALERT_WEBHOOK_URL": f"http://127.0.0.1:1/{encoded}?token={encoded}",
        "ALERT_EMAIL": "team@shop.example",
        "SMTP_URL": f"smtp://ada:{encoded}@127.0.0.1:1",
        "SQS_QUEUE_URL": "http://127.0.0.1:1/1/events",
        "SQS_DLQ_URL": "http://127.0.0.1:1/1/dead",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": secret,
    }


COMMANDS = (
    "status", "status --json", "monitor", "explain customer_rfm", "accept 12 --reason why", "replay", "drain",
    "redrive", "shop init", "shop seed", "shop order 1 lamp", "shop top-sellers", "shop carts get customer:1",
)  # fmt: skip


@contextlib.contextmanager
def watched(environment: Mapping[str, str]) -> Iterator[Callable[[], str]]:
    """Set the environment, and gather all that is printed and logged."""
    seen, handler = io.StringIO(), logging.StreamHandler(io.StringIO())
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for name, value in {**environment, "DATA_DIR": folder}.items():
            patch.setenv(name, value)
        root = logging.getLogger()
        patch.setattr(root, "level", logging.INFO)
        root.addHandler(handler)
        try:
            with contextlib.redirect_stdout(seen), contextlib.redirect_stderr(seen):
                yield lambda: seen.getvalue() + handler.stream.getvalue()
        finally:
            root.removeHandler(handler)


def run(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["analytics-platform", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command()
    return int(str(ended.value.code or 0))


def accepted(environment: Mapping[str, str]) -> Settings:
    """The settings, with those addresses left out that are not accepted."""
    left = {name.lower(): value for name, value in environment.items() if name.lower() in Settings.model_fields}
    while True:
        try:
            return load_settings(**left)
        except SettingsError as error:
            del left[str(error).partition("=")[0].lower()]


FEW = settings(max_examples=max(3, settings().max_examples // 20))


@FEW
@given(environment=environments())
def test_no_command_prints_or_logs_a_secret_of_an_address(environment: dict[str, str]) -> None:
    address = environment["WAREHOUSE_URL"]
    copies = (("copy", "--from", address, "--to", "duckdb:///x"), ("copy", "--to", address, "--from", "duckdb:///x"))
    for arguments in (*map(str.split, COMMANDS), *copies):
        with watched(environment) as seen:
            code = run(*arguments)
        assert code == 2, (arguments, seen())
        assert "Traceback" not in seen() and len(seen()) > 20
        assert not shows(seen()), seen()


@FEW
@given(environment=environments())
def test_no_asset_resource_or_alert_shows_a_secret_of_an_address(environment: dict[str, str]) -> None:
    chosen = accepted(environment)
    systems = [(spec.key, spec.metadata) for spec in with_systems([], chosen) if isinstance(spec, dg.AssetSpec)]
    resources = build_resources(chosen)
    words = f"it broke: {list(environment.values())} {chosen} {chosen.warehouse_url.get_secret_value()}"
    problem = Problem("k", "step", "raw/users", words, {}, [words], words)
    ended = EndedRun("1234", "job", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    alert = write(News("failed", ended, [without_secrets(problem, chosen)]), chosen.dagster_url)

    for shown in (systems, {name: repr(each) for name, each in resources.items()}, chosen, alert, to_text(alert)):
        assert not shows(str(shown)), shown
    with watched({}) as seen:
        for send in (
            lambda: post(chosen.alert_webhook_url.get_secret_value(), to_slack(alert)),
            lambda: mail(chosen.smtp_url.get_secret_value(), "a@b", alert.title, to_text(alert)),
        ):
            with pytest.raises(DeliveryError) as refused:
                send()
            assert not shows(str(refused.value))
    assert not shows(seen())


@settings(max_examples=1)
@given(environment=environments())
def test_no_event_of_a_run_shows_a_secret_of_an_address(environment: dict[str, str]) -> None:
    """Assets of every kind of system, each of which fails or warns: their errors, logs and metadata are events."""
    sources = ("users", "customers", "ecommerce_events")
    with scripted_api(lambda request: Answer(status=404)) as api, watched(environment) as seen:
        at = api.url.replace("http://", f"http://{FRONT}:{BACK}@") + f"/{FRONT}{BACK}?token={FRONT}{BACK}"
        chosen = accepted({**environment, "USERS_API_URL": at, "DATA_DIR": os.environ["DATA_DIR"]})
        clicks = SOURCES["clickstream"]
        assets = [*(raw_asset(SOURCES[name]) for name in sources), raw_asset(clicks), gate_asset(clicks, chosen)]
        with dg.DagsterInstance.ephemeral() as instance:
            ran = dg.materialize(
                [*assets, best_sellers],
                instance=instance,
                resources=dict(build_resources(chosen)),
                raise_on_error=False,
            )
            logged = instance.all_logs(ran.run_id)
        failed = {event.step_key for event in ran.all_events if event.is_step_failure}
    assert {"raw__users", "raw__customers", "raw__ecommerce_events", "cleaned__clickstream"} <= failed
    assert not shows(str(logged)), [entry for entry in logged if shows(str(entry))]
    assert not shows(json.dumps([entry.to_json() for entry in logged]))
    assert not shows(seen())


def test_neither_carts_nor_logs_of_mongodb_show_a_secret() -> None:
    uri = f"mongodb://ada:{FRONT}%23{BACK}@127.0.0.1:1/?appName=x"
    with pytest.raises(ShopUnavailableError) as carts, contextlib.closing(Carts(uri, "shop")) as opened:
        opened.get("customer:1")
    with pytest.raises(MongoError) as logs:
        list(replace(collection_of(load_settings(mongodb_uri=uri)), timeout=dt.timedelta(milliseconds=50)).read(None))
    assert not shows(f"{carts.value} {logs.value}")


@pytest.mark.parametrize("url", [f"redis://h:{FRONT}", f"redis://{FRONT}:p", f"{FRONT}"])
def test_a_cache_at_an_address_that_is_none_is_told_without_it(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is not a valid address") as caught:
        invalidate_best_sellers(url)
    assert not shows("".join(traceback.format_exception(caught.value)))
