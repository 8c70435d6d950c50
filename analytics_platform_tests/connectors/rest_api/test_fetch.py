"""What a fetch brings: every page of one moment, unchanged."""

from __future__ import annotations

import gzip
import json

import pytest

from analytics_platform.connectors.rest_api.content import encode_pages, split_records
from analytics_platform.connectors.rest_api.endpoint import Endpoint, RestError
from analytics_platform.connectors.rest_api.fetch import fetch
from analytics_platform_tests.connectors.rest_api.scripted import (
    QUICK,
    Answer,
    Clock,
    Request,
    items,
    json_answer,
    linked,
    scripted_api,
)

JSON = {"Content-Type": "application/json"}


def whole(endpoint: Endpoint) -> tuple[bytes, ...]:
    return fetch(endpoint, QUICK, Clock())


def texts(pages: tuple[bytes, ...]) -> list[str]:
    return [text for page in pages for text in split_records(page)]


def test_pages_keep_the_unchanged_bytes() -> None:
    body = b'\xef\xbb\xbf [ {"id" : 1.50e0, "n": "\\u00e9 \xc3\xa9"} ]\r\n'
    with scripted_api([Answer(body, headers=JSON | {"ETag": 'W/"1"'})]) as api:
        fetched = whole(items(api))
    assert fetched == (body,)


def test_a_compressed_answer_is_kept_as_what_it_stands_for() -> None:
    body = json.dumps([{"id": number} for number in range(1000)]).encode()
    with scripted_api([Answer(gzip.compress(body), headers=JSON | {"Content-Encoding": "gzip"})]) as api:
        assert whole(items(api)) == (body,)
        assert api.asked[0].headers["accept-encoding"] == "gzip"


def test_an_empty_list_is_an_answer() -> None:
    with scripted_api([json_answer([])]) as api:
        assert texts(whole(items(api))) == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/json", "application/hal+json", ""])
def test_json_is_known_by_any_of_its_names(kind: str) -> None:
    with scripted_api([Answer(b"[]", headers={"Content-Type": kind} if kind else {})]) as api:
        assert texts(whole(items(api))) == []


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_pages_are_read(count: int) -> None:
    pages = [json_answer([{"id": number}]) for number in range(count)]
    with scripted_api(linked(pages)) as api:
        fetched = whole(items(api))
    assert texts(fetched) == [f'{{"id": {number}}}' for number in range(count)]
    assert fetched == tuple(page.body for page in pages)


@pytest.mark.parametrize(
    "link",
    [
        '</items?at=2>; rel="next"',
        '<{url}?at=2>; rel="next", <{url}?at=9>; rel="last"',
        '<{url}?at=1>; rel=prev; title="a, b; rel=\'next\'" , <?at=2>;title="x=y";rel=next',
        '<{url}?at=9>; rel="last",<{url}?at=2>; rel="prefetch NEXT"',
    ],
)
def test_the_link_called_next_is_followed_however_it_is_written(link: str) -> None:
    def answer(request: Request) -> Answer:
        if request.target.endswith("at=2"):
            return json_answer([2], Link='</items?at=1>; rel="prev"')
        return json_answer([1], Link=link.replace("{url}", f"http://{request.headers['host']}/items"))

    with scripted_api(answer) as api:
        assert texts(whole(items(api))) == ["1", "2"]
        assert api.targets == ["/items", "/items?at=2"]


class Shifting:
    """Three linked pages of one record; a record is removed from the front when page 2 is read, the first times."""

    def __init__(self, shifts: int, etags: bool = True) -> None:
        self.rows = list(range(100))
        self.shifts = shifts
        self.etags = etags

    def __call__(self, request: Request) -> Answer:
        number = int(request.target.partition("=")[2] or 1)
        body = json.dumps(self.rows[number - 1 : number]).encode()
        etag = f'"{hash(body)}"'
        if number == 2 and "if-none-match" not in request.headers and self.shifts:
            self.shifts -= 1
            del self.rows[0]
        if request.headers.get("if-none-match") == etag:
            return Answer(status=304)
        link = {"Link": f'</items?page={number + 1}>; rel="next"'} if number < 3 else {}
        return Answer(body, headers=JSON | link | ({"ETag": etag} if self.etags else {}))


def test_pages_are_read_again_when_the_data_changed_in_between() -> None:
    with scripted_api(Shifting(shifts=1)) as api:
        fetched = whole(items(api))
    assert texts(fetched) == ["1", "2", "3"]


def test_pages_that_did_not_change_are_verified_without_another_download() -> None:
    with scripted_api(Shifting(shifts=0)) as api:
        assert texts(whole(items(api))) == ["0", "1", "2"]
        assert ["if-none-match" in request.headers for request in api.asked] == [False] * 3 + [True] * 2


def test_an_api_that_changes_all_the_time_loads_nothing() -> None:
    with scripted_api(Shifting(shifts=9)) as api:
        with pytest.raises(RestError) as caught:
            fetch(items(api), QUICK)
        assert str(caught.value) == (
            f"items: page 1 of {api.server} changed while the list was read, 3 times;"
            " nothing was loaded, run again later."
        )


def test_pages_without_etags_are_logged_as_unverified(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_api(Shifting(shifts=1, etags=False)) as api:
        whole(items(api))
    assert "items: pages have no ETag" in caplog.text


def test_the_same_answer_makes_the_same_file() -> None:
    with scripted_api([json_answer([1], ETag='"a"'), json_answer([1], Date="x", ETag='"b"')]) as api:
        assert encode_pages("items", whole(items(api))) == encode_pages("items", whole(items(api)))
