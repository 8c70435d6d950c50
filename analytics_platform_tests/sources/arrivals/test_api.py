"""From a JSON API to the table: whole answers, untouched and once; a fault is reported and changes nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from analytics_platform.connectors.rest_api.content import decode_pages, split_records
from analytics_platform.connectors.rest_api.endpoint import Endpoint, RestError
from analytics_platform.contracts.base import Contract, Day, Instant, Money, Text, Whole, column
from analytics_platform.demo.servers.start import serve_users
from analytics_platform.gate import Origin, Records, validate
from analytics_platform.gate.exact_json import canonical_json, plain_text, read_json
from analytics_platform.gate.records import no_records
from analytics_platform.lake import Batch
from analytics_platform.orchestration.assets.raw import raw_asset
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import load_settings
from analytics_platform.sources.arrivals.api import JsonApi, fetch_list
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import BatchCard, load_batch
from analytics_platform_tests.connectors.rest_api.scripted import (
    IMPATIENT,
    QUICK,
    Answer,
    ScriptedApi,
    json_answer,
    linked,
    scripted_api,
)
from analytics_platform_tests.kit import Platform, build, open_platform
from analytics_platform_tests.names import USERS
from analytics_platform_tests.shop_logs import load, user

JSON = {"Content-Type": "application/json"}
TODAY = DayRange(dt.date(2024, 1, 1), dt.date(2024, 1, 1))
ADA, BEN, EVE = (
    user(number, name, email=f"{name}@shop.example") for number, name in enumerate(("Ada", "Ben", "Eve"), 1)
)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return open_platform(tmp_path)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """An API that says what a test scripts."""
    with scripted_api([]) as api:
        yield api


def declared(api: ScriptedApi) -> Endpoint:
    """The users, as the platform declares them."""
    return JsonApi().endpoint(USERS, load_settings(users_api_url=api.url))


def take_in(platform: Platform, api: ScriptedApi, *answers: Answer) -> Batch | None:
    """Fetch what the API answers, load it, and build the users."""
    api.script = list(answers)
    batch = fetch_list(declared(api), platform.lake, QUICK)
    load(platform, USERS)
    with platform.session() as session:
        build(session, TODAY, platform.settings, {"cleaned.users"})
    return batch


def rows(platform: Platform, sql: str) -> list[tuple[object, ...]]:
    with platform.session(read_only=True) as session:
        return session.rows(sql)


def users(platform: Platform) -> list[tuple[object, ...]]:
    return rows(platform, "SELECT user_id, name, email FROM cleaned.users ORDER BY 1")


FIRST = [("1", "Ada", "ada@shop.example"), ("2", "Ben", "ben@shop.example")]


def test_the_untouched_answer_is_in_the_lake_before_anything_is_read_from_it(
    platform: Platform, api: ScriptedApi
) -> None:
    body = b' [ {"id" : 1, "name": "Ad\\u00e9", "more": 1.50} ]\r\n'
    batch = take_in(platform, api, Answer(body, headers=JSON))

    assert batch is not None
    with batch.open() as stream:
        assert decode_pages(stream.read()) == (body,)
    assert users(platform) == [("1", "Adé", None)]


def test_an_answer_that_did_not_change_makes_no_new_batch(platform: Platform, api: ScriptedApi) -> None:
    assert take_in(platform, api, json_answer([ADA, BEN], ETag='"1"')) is not None
    assert take_in(platform, api, json_answer([ADA, BEN], ETag='"2"')) is None

    assert len(platform.lake.batches(USERS)) == 1
    assert users(platform) == FIRST


def test_an_earlier_answer_that_the_api_returns_to_is_loaded_again(platform: Platform, api: ScriptedApi) -> None:
    first, second = [ADA, BEN], [ADA | {"email": "new@shop.example"}, BEN]
    take_in(platform, api, json_answer(first))
    for answer in (second, first, second, first):
        assert take_in(platform, api, json_answer(answer)) is not None
        assert take_in(platform, api, json_answer(answer)) is None

    assert len(platform.lake.batches(USERS)) == 5


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([Answer(fault="silent")] * 3, "sent nothing for 0.2 s (3 attempts); nothing was loaded"),
        ([Answer(status=500)] * 3, "answered 500 Internal Server Error (3 attempts); nothing was loaded"),
        ([Answer(b'[{"id": 5', headers=JSON)] * 3, "breaks off (line 1 column 10) (3 attempts); nothing was loaded"),
        ([Answer(status=401)], "answered 401 Unauthorized; nothing was loaded, check the credentials"),
        ([json_answer({"users": [EVE]})], "nothing was loaded, check the address of the source"),
        (
            [json_answer([EVE], Link='</items?page=2>; rel="next"'), Answer(status=404)],
            "page 2 of http://127.0.0.1:",
        ),
    ],
)
def test_a_fault_is_named_in_one_sentence_and_leaves_lake_and_tables_as_they_were(
    answers: list[Answer], words: str, platform: Platform, api: ScriptedApi
) -> None:
    take_in(platform, api, json_answer([ADA, BEN], ETag='"1"'))
    lake = [(path, path.read_bytes()) for path in sorted(platform.lake.root.rglob("*")) if path.is_file()]

    api.script = list(answers)
    with pytest.raises(RestError) as caught:
        fetch_list(declared(api), platform.lake, IMPATIENT)

    assert str(caught.value).startswith("users: page ") and words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [(path, path.read_bytes()) for path in sorted(platform.lake.root.rglob("*")) if path.is_file()] == lake
    assert load(platform, USERS) == {USERS: (0, 0, 0)}
    assert users(platform) == FIRST
    assert take_in(platform, api, json_answer([ADA, BEN, EVE])) is not None
    assert users(platform) == [*FIRST, ("3", "Eve", "eve@shop.example")]


def test_500_twice_then_200_is_a_whole_answer(platform: Platform, api: ScriptedApi) -> None:
    take_in(platform, api, Answer(status=500), Answer(status=500), json_answer([ADA, BEN]))
    assert users(platform) == FIRST


def test_all_pages_are_one_batch(platform: Platform, api: ScriptedApi) -> None:
    first = json_answer([ADA], Link=f'<{api.url}?page=2>; rel="next"')
    take_in(platform, api, first, Answer(status=503), json_answer([BEN]))

    assert users(platform) == FIRST
    assert rows(platform, "SELECT rows_read FROM ops.pipeline_logs") == [(2,)]


def test_a_field_that_is_gone_is_drift(platform: Platform, api: ScriptedApi) -> None:
    take_in(platform, api, json_answer([ADA, BEN]))
    take_in(platform, api, json_answer([{"id": one["id"], "name": one["name"], "tier": "gold"} for one in (ADA, BEN)]))

    assert users(platform) == [("1", "Ada", None), ("2", "Ben", None)]
    drift = rows(platform, "SELECT drift FROM ops.pipeline_logs ORDER BY finished_at")
    assert "no field email" not in str(drift[0][0]).split("; ")
    assert "no field email" in str(drift[1][0]).split("; ")
    assert "unknown fields kept in extra: tier" in str(drift[1][0])


def test_users_whose_id_is_gone_are_rejected_and_stay_as_they_were(platform: Platform, api: ScriptedApi) -> None:
    take_in(platform, api, json_answer([ADA, BEN]))
    take_in(platform, api, json_answer([{"uid": 0, "name": "New"}, BEN | {"name": "Benjamin"}]))

    assert users(platform) == [FIRST[0], ("2", "Benjamin", "ben@shop.example")]
    assert rows(platform, "SELECT source, position, error_reason FROM ops.quarantine") == [(USERS, 1, "id: missing")]


def _materialize(root: Path, instance: dg.DagsterInstance, **settings: object) -> dg.ExecuteInProcessResult:
    resources = dict(build_resources(load_settings(data_dir=root, **settings)))
    return dg.materialize([raw_asset(SOURCES[USERS])], resources=resources, instance=instance, raise_on_error=False)


def test_the_asset_says_whether_the_answer_is_new(tmp_path: Path) -> None:
    file, instance = tmp_path / "users.json", dg.DagsterInstance.ephemeral()
    file.write_text(json.dumps([ADA, BEN]), "utf-8")
    with serve_users(file, page_size=1) as url:
        said = []
        for _ in range(2):
            (event,) = _materialize(tmp_path, instance, users_api_url=url).get_asset_materialization_events()
            said.append(event.materialization.metadata["answer"].value)
        assert (
            fetch_list(
                JsonApi().endpoint(USERS, load_settings(data_dir=tmp_path, users_api_url=url)),
                open_platform(tmp_path).lake,
            )
            is None
        )
    assert str(said[0]).startswith("a new answer, ")
    assert said[1] == "the same as last time"


def test_the_asset_without_an_api_is_done_and_says_so(tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    result = _materialize(tmp_path, instance)

    assert result.success
    assert "USERS_API_URL is not set: nothing of users is read from there." in [
        entry.user_message for entry in instance.all_logs(result.run_id)
    ]
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"users_api_url": "https://"}, "must begin with http:// or https:// and a host: check USERS_API_URL"),
        (
            {"users_api_url": "http://x", "users_api_authorization": "s3\ncret"},
            "must be one line of ASCII characters: check USERS_API_URL",
        ),
        ({"users_api_url": "http://127.0.0.1:1/users"}, "page 1 of http://127.0.0.1:1 "),
    ],
)
def test_the_asset_fails_in_one_sentence(
    settings: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_platform.connectors.rest_api.endpoint.Limits", lambda: QUICK)
    result = _materialize(tmp_path, dg.DagsterInstance.ephemeral(), **settings)

    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None and error.cause is None
    assert words in error.message and error.message.count("\n") == 1
    assert "cret" not in error.message


# Another source: the list of an API, declared; the promise of its table; and how one of its records is taken apart.

PRODUCTS = "products"


class ProductVersions(
    Contract,
    table="cleaned.product_versions",
    source=PRODUCTS,
    key=("version_id",),
    write="batches",
    partition="event_date",
    redelivers=True,
):
    """One row per product and answer."""

    version_id: Text = column("MD5 of the content.", random=True)
    product_id: Whole = column("The product.", source=("id",))
    title: Text = column("Name.", source=("title",))
    price: Money = column("Price.", source=("price",), ge=0)
    extra: Text = column("Other fields.", nullable=True, json=True)
    event_date: Day = column("Day the answer arrived.")
    arrived_at: Instant = column("When the answer arrived.")
    batch_id: Text = column("The answer.")
    position: Whole = column("Place in the answer.", ge=1)


def products_endpoint(url: str) -> Endpoint:
    return Endpoint(PRODUCTS, url)


def read_products(pages: Sequence[bytes]) -> Iterator[Records]:
    found = [
        (position, text, _fields(text))
        for position, text in enumerate(chain.from_iterable(map(split_records, pages)), 1)
    ]
    yield Records(
        values=pl.DataFrame([fields for *_, fields in found]),
        positions=np.array([position for position, *_ in found], np.int64),
        raws=lambda index: [found[row][1] for row in index],
        malformed=no_records().malformed,
    )


def _fields(raw: str) -> dict[str, str | None]:
    record = read_json(raw)
    assert isinstance(record, dict)
    known = {name: plain_text(record.pop(key, None)) for name, key in (("product_id", "id"), ("price", "price"))}
    return {**known, "title": record.pop("title", None), "extra": canonical_json(record) if record else None}


def test_another_api_is_a_declaration_a_contract_and_a_reader_of_its_records(
    platform: Platform, api: ScriptedApi
) -> None:
    wanted: list[dict[str, object]] = [
        {"id": 1, "title": "Hawaiian", "price": 9.5, "tags": ["fruit"]},
        {"id": 2, "title": "Margherita", "price": 8},
        {"id": 3, "title": "Marinara", "price": -1},
    ]
    for expected in ((2, 0, 1), (0, 2, 1)):
        api.script = linked([json_answer(wanted[:2]), json_answer(wanted[2:])])
        batch = fetch_list(products_endpoint(api.url), platform.lake, QUICK)
        assert batch is not None
        assert fetch_list(products_endpoint(api.url), platform.lake, QUICK) is None
        origin = Origin(batch.batch_id, batch.arrived_at, dt.datetime(2010, 1, 1, tzinfo=dt.UTC))
        card = BatchCard(batch.batch_id, PRODUCTS, batch.name, batch.content_sha256, batch.arrived_at, "test")
        with batch.open() as stream, platform.session() as session:
            verdicts = validate(read_products(decode_pages(stream.read())), ProductVersions, origin)
            loaded = load_batch(session, ProductVersions, card, verdicts)
        assert (loaded.rows_accepted, loaded.rows_duplicate, loaded.rows_quarantined) == expected
        wanted[2] = wanted[2] | {"price": -2}

    stored = "SELECT product_id, title, CAST(price AS VARCHAR), extra FROM cleaned.product_versions ORDER BY 1"
    assert rows(platform, stored) == [
        (1, "Hawaiian", "9.5000", '{"tags":["fruit"]}'),
        (2, "Margherita", "8.0000", None),
    ]
    assert (
        rows(platform, "SELECT error_reason FROM ops.quarantine ORDER BY quarantined_at") == [("price: too small",)] * 2
    )
