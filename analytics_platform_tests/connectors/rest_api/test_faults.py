"""What becomes of a fetch when the API fails: it passes and is logged, or nothing is loaded and a sentence says why."""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import json
import logging
import re
import socket
import tracemalloc
from dataclasses import replace

import pytest

from analytics_platform.connectors.rest_api import content
from analytics_platform.connectors.rest_api.content import split_records
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError
from analytics_platform.connectors.rest_api.fetch import fetch
from analytics_platform.orchestration.retries import may_pass
from analytics_platform_tests.connectors.rest_api.scripted import (
    IMPATIENT,
    QUICK,
    Answer,
    Clock,
    Fault,
    Request,
    ScriptedApi,
    items,
    json_answer,
    linked,
    scripted_api,
)

GOOD = json_answer([{"id": 1}, {"id": 2}])
JSON = {"Content-Type": "application/json"}


def failure_of(api: ScriptedApi, limits: Limits = QUICK) -> RestError:
    with pytest.raises(RestError) as caught:
        fetch(items(api), limits=limits, sleep=Clock())
    return caught.value


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Answer(status=500), "answered 500 Internal Server Error"),
        (Answer(status=503), "answered 503 Service Unavailable"),
        (Answer(status=599), "answered 599"),
        (Answer(status=429), "answered 429 Too Many Requests"),
        (Answer(fault="silent"), "sent nothing for 0.2 s"),
        (Answer(fault="hangs up"), "broke off: the connection was closed or no HTTP"),
        (Answer(GOOD.body[:10], headers=JSON, fault="cut short"), "broke off: the connection was closed or no HTTP"),
        (Answer(GOOD.body[:-1], headers=JSON), "breaks off (line 1 column 22)"),
        (Answer(b'[{"id": 1', headers=JSON), "breaks off (line 1 column 10)"),
        (Answer(b"", headers=JSON), "breaks off (line 1 column 1)"),
        (Answer(b"[1, oops]", headers=JSON), "is not JSON (line 1 column 5: Expecting value)"),
        (Answer(b"[1] [2]", headers=JSON), "is not JSON (line 1 column 5: Extra data)"),
        (Answer(b"[NaN]", headers=JSON), "is not JSON (NaN is no JSON number)"),
        (Answer(b'["\xff"]', headers=JSON), "is not UTF-8 (byte 2)"),
        (Answer(b"[" * 100_000, headers=JSON), "is nested too deeply"),
        (Answer(b"no gzip", headers=JSON | {"Content-Encoding": "gzip"}), "cannot be decompressed"),
        (Answer(gzip.compress(GOOD.body)[:-12], headers=JSON | {"Content-Encoding": "gzip"}), "breaks off"),
    ],
)
def test_a_failure_that_may_pass_is_tried_again_and_logged(
    failure: Answer, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with scripted_api([failure, failure, GOOD]) as api:
        fetched = fetch(items(api), limits=IMPATIENT if failure.fault == "silent" else QUICK, sleep=clock)
    assert fetched == (GOOD.body,)
    assert len(clock.slept) == 2
    assert [f"items: page 1 {reason}" in record.getMessage() for record in caplog.records] == [True, True]


def test_500_twice_then_200_is_a_whole_answer_with_two_retries_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with scripted_api([Answer(status=500), Answer(status=500), GOOD]) as api:
        fetched = fetch(items(api), limits=QUICK, sleep=Clock())
    assert len([text for page in fetched for text in split_records(page)]) == 2
    logged = [record.getMessage() for record in caplog.records if "rest_api" in record.name]
    assert logged[0].startswith("items: page 1 answered 500 Internal Server Error (attempt 1 of 3); trying again in")
    assert logged[-1] == "items: 2 records on 1 pages, 22 bytes"


@pytest.mark.parametrize("fault", ["silent", "hangs up", "cut short"])
def test_a_failure_that_does_not_pass_loads_nothing_and_says_so(fault: Fault) -> None:
    with scripted_api(lambda request: Answer(b"[", headers=JSON, fault=fault)) as api:
        error = failure_of(api, IMPATIENT if fault == "silent" else QUICK)
        assert len(api.asked) == QUICK.attempts
        assert str(error).startswith(f"items: page 1 of {api.server} ")
    assert "(3 attempts); nothing was loaded, run again later." in str(error)
    assert error.status is None


def test_truncated_json_loads_nothing_however_often_it_comes() -> None:
    with scripted_api(lambda request: Answer(b'[{"id": 1}, {"id"', headers=JSON)) as api:
        error = failure_of(api)
        assert f"items: page 1 of {api.server} breaks off (line 1 column 18) (3 attempts); nothing was loaded" in str(
            error
        )
    assert error.status == 200


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=404), "answered 404 Not Found; nothing was loaded, check the address of the source."),
        (Answer(status=401), "answered 401 Unauthorized; nothing was loaded, check the credentials of the source."),
        (Answer(status=403), "answered 403 Forbidden; nothing was loaded, check the credentials"),
        (Answer(status=400), "answered 400 Bad Request; nothing was loaded, check the address of the source"),
        (Answer(b"[1]", 206, JSON), "answered 206 Partial Content"),
        (Answer(status=204), "answered 204 No Content"),
        (Answer(status=304), "answered 304 Not Modified"),
        (Answer(status=301), "answered 301 Moved Permanently"),
        (Answer(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}), "is 'text/html', not JSON"),
        (Answer(b"[]", headers=JSON | {"Content-Encoding": "br"}), "is encoded as 'br', which was not asked for"),
        (Answer(b"[]", headers=JSON | {"Content-Encoding": "gzip, gzip"}), "is encoded as 'gzip, gzip'"),
        (
            json_answer({"error\x1b[2J": "no"}),
            "is no list but an object with 'error\\x1b[2J'; nothing was loaded, check",
        ),
        (json_answer({}), "is no list but an object with nothing"),
        (json_answer(None), "is no list but null"),
        (json_answer("[]"), "is no list but a single value"),
    ],
)
def test_a_failure_that_would_last_is_not_tried_again(answer: Answer, words: str) -> None:
    with scripted_api([answer]) as api:
        error = failure_of(api)
        assert str(error).startswith(f"items: page 1 of {api.server} {words}")
        assert len(api.asked) == 1
    assert error.status == answer.status


def test_an_api_that_is_not_there_is_reported() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RestError, match=r"cannot be reached \(.*refused.*\) \(3 attempts\); nothing was loaded"):
        fetch(Endpoint("items", f"http://127.0.0.1:{port}/"), limits=QUICK, sleep=Clock())


def test_retry_after_in_seconds_is_waited_for() -> None:
    clock = Clock()
    with scripted_api([Answer(status=429, headers={"Retry-After": "2"}), GOOD]) as api:
        fetched = fetch(items(api), limits=QUICK, sleep=clock)
    assert clock.slept == [2.0]
    assert len([text for page in fetched for text in split_records(page)]) == 2


def test_retry_after_as_a_date_is_waited_for() -> None:
    clock = Clock()
    later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30), usegmt=True)
    with scripted_api([Answer(status=503, headers={"Retry-After": later}), GOOD]) as api:
        fetch(items(api), limits=replace(QUICK, longest_wait_s=60, total_s=60), sleep=clock)
    assert 0 < clock.slept[0] <= 30


FAR_ZONE = "Mon, 01 Jan 2027 00:00:00 +99999999999999999999"


@pytest.mark.parametrize("past", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "٣", "Wed, 99 Oct 2015", FAR_ZONE])
def test_a_retry_after_that_says_nothing_does_not_stop_the_fetch(past: str) -> None:
    script = [Answer(status=429, headers={"Retry-After": past.encode().decode("latin-1")}), GOOD]
    with scripted_api(script) as api:
        assert fetch(items(api), limits=QUICK, sleep=Clock()) == (GOOD.body,)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("3600", "3600 s"), ("9" * 400, "more than a day"), ("Fri, 31 Dec 9999 23:59:59 -2359", "more than a day")],
)
def test_a_retry_after_beyond_the_limit_ends_the_fetch_at_once(asked: str, shown: str) -> None:
    clock = Clock()
    with (
        scripted_api([Answer(status=429, headers={"Retry-After": asked})]) as api,
        pytest.raises(RestError) as caught,
    ):
        fetch(items(api), limits=QUICK, sleep=clock)
    assert clock.slept == []
    words = f"answered 429 Too Many Requests and asks to wait {shown}; nothing was loaded, run again after that."
    assert words in str(caught.value)


def test_pauses_between_attempts_grow_within_their_bounds() -> None:
    clock = Clock()
    limits = replace(QUICK, attempts=6, first_wait_s=1, longest_wait_s=4, total_s=100)
    with scripted_api(lambda request: Answer(status=500)) as api, pytest.raises(RestError):
        fetch(items(api), limits=limits, sleep=clock)
    assert all(0 <= slept <= bound for slept, bound in zip(clock.slept, [1, 2, 4, 4, 4], strict=True))


@pytest.mark.parametrize("fault", ["drips body", "drips no length", "drips header"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (replace(QUICK, total_s=0.3), "was not there after 0.3 s in all: time-out; nothing was loaded"),
        (replace(QUICK, slow_s=0.3), "sent fewer than 60,000 bytes in 0.3 s: time-out; nothing was loaded, tell"),
    ],
)
def test_an_api_that_drips_its_answer_is_a_time_out_that_is_not_tried_again(
    limits: Limits, said: str, fault: Fault
) -> None:
    with scripted_api([Answer(b"[", headers=JSON, fault=fault)]) as api:
        with pytest.raises(RestError, match=f"page 1 of {api.server} {said}") as caught:
            fetch(items(api), limits=limits)
        assert len(api.asked) <= 1
    assert not may_pass(caught.value)


def test_an_answer_that_is_long_and_steady_may_take_longer_than_a_slow_one() -> None:
    with scripted_api([Answer(b"[", headers=JSON, fault="drips no length")]) as api:
        limits = replace(QUICK, slow_s=0.2, least_bytes=2, total_s=0.6)
        with pytest.raises(RestError, match=r"was not there after 0.6 s in all"):
            fetch(items(api), limits=limits)


def test_no_attempt_is_made_after_the_time_is_up() -> None:
    with (
        scripted_api([Answer(status=429, headers={"Retry-After": "40"}), GOOD]) as api,
        pytest.raises(RestError, match="answered 429"),
    ):
        fetch(items(api), limits=replace(QUICK, total_s=30, longest_wait_s=60), sleep=Clock())


def test_a_missing_page_in_the_middle_loads_nothing() -> None:
    with scripted_api(linked([json_answer([1]), Answer(status=404), json_answer([3])])) as api:
        assert f"items: page 2 of {api.server} answered 404 Not Found; nothing was loaded" in str(failure_of(api))


def test_a_failure_on_a_later_page_is_tried_again_there() -> None:
    link = '</items?page=2>; rel="next"'
    with scripted_api([json_answer([1], Link=link), Answer(status=500), json_answer([2])]) as api:
        fetched = fetch(items(api), limits=QUICK, sleep=Clock())
        assert api.targets == ["/items", "/items?page=2", "/items?page=2"]
    assert len([text for page in fetched for text in split_records(page)]) == 2


def test_a_link_to_a_page_that_was_read_already_is_a_loop() -> None:
    def answer(request: Request) -> Answer:
        here, there = ("a", "b") if request.target.endswith("a") else ("b", "a")
        return json_answer([here], Link=f'</items?at={there}>; rel="next"')

    with scripted_api(answer) as api:
        error = failure_of(api)
        assert len(api.asked) == 3
    assert "leads back to a page that was read already; nothing was loaded, tell the API's owner." in str(error)


def test_an_api_that_gives_the_same_page_twice_is_noticed() -> None:
    with scripted_api(linked([json_answer([1, 2])] * 9)) as api:
        error = failure_of(api)
        assert len(api.asked) == 2
    assert "is the same as the page before; nothing was loaded, tell the API's owner." in str(error)


def test_pages_without_end_are_cut_off() -> None:
    with scripted_api(linked([json_answer([number]) for number in range(9)])) as api:
        with pytest.raises(RestError, match="is not the last of 5 pages; nothing was loaded, ask for larger pages"):
            fetch(items(api), limits=replace(QUICK, pages=5))
        assert len(api.asked) == 5


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    with (
        scripted_api([json_answer(["x" * 100_000])]) as api,
        pytest.raises(RestError, match="makes the answer larger than 50,000 bytes; nothing was loaded"),
    ):
        fetch(items(api), limits=replace(QUICK, bytes=50_000))


def test_the_size_is_limited_for_all_pages_together_and_after_decompression() -> None:
    page = Answer(gzip.compress(json.dumps(["x" * 30_000]).encode()), headers=JSON | {"Content-Encoding": "gzip"})
    other = Answer(gzip.compress(json.dumps(["y" * 30_000]).encode()), headers=JSON | {"Content-Encoding": "gzip"})
    with (
        scripted_api(linked([page, other])) as api,
        pytest.raises(RestError, match=r"page 2 of .* makes the answer larger than 50,000 bytes"),
    ):
        fetch(items(api), limits=replace(QUICK, bytes=50_000))


def test_records_are_counted_while_they_are_parsed_and_cut_off() -> None:
    """Made as a whole, these lists are 80 MB, and a few KB of gzip."""
    body = b"[" + b"[]," * 1_200_000 + b"1]"
    page = Answer(gzip.compress(body), headers=JSON | {"Content-Encoding": "gzip"})
    tracemalloc.start()
    with scripted_api([page]) as api:
        assert "makes the answer longer than 20,000 records; nothing was loaded, ask for less" in str(
            failure_of(api, replace(QUICK, records=20_000))
        )
    assert tracemalloc.get_traced_memory()[1] < 6 * len(body)
    tracemalloc.stop()


def test_records_are_limited_for_all_pages_together() -> None:
    with scripted_api(linked([json_answer([1, 2, 3]), json_answer([4, 5])])) as api:
        assert re.search(r"page 2 of .* longer than 4 records", str(failure_of(api, replace(QUICK, records=4))))


@pytest.mark.parametrize("document", ["[%s]", "[1, %s]", "%s"])
def test_one_value_cannot_be_larger_than_what_is_decoded_at_once(
    document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LONGEST_VALUE", 1000)
    body = (document % ('{"a": "}", "b": [' + "[]," * 1000 + "[]]}")).encode()
    with scripted_api(lambda request: Answer(body, headers=JSON)) as api:
        assert "has a value of more than 1,000 characters" in str(failure_of(api))


@pytest.mark.parametrize("address", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]", "[::ffff:a9fe:a9fe]"])
def test_a_link_local_address_is_not_asked(address: str) -> None:
    moved = Answer(status=302, headers={"Location": f"http://{address}/latest/meta-data"})
    with scripted_api([moved]) as api:
        error = str(failure_of(api))
    assert error.startswith(f"items: page 1 of {api.server}, redirected to http://")
    assert "is at a link-local address, which is not asked; nothing was loaded" in error
    with pytest.raises(RestError, match="is at a link-local address"):
        fetch(Endpoint("items", f"http://{address}/"), limits=QUICK)


def test_an_error_after_a_redirect_names_the_address_that_answered() -> None:
    with scripted_api([Answer(status=404)]) as other:
        moved = Answer(status=302, headers={"Location": f"{other.url}?token=s3cret"})
        with scripted_api([moved]) as api:
            words = f"items: page 1 of {api.server}, redirected to {other.server}, answered 404 Not Found"
            assert str(failure_of(api)).startswith(words)


@pytest.mark.parametrize("link", ["/items?page=2; rel=next", '<//>; rel="next', '</a>; rel="next" oops'])
def test_a_link_header_that_cannot_be_read_does_not_end_the_pages(link: str) -> None:
    with scripted_api([json_answer([1], Link=link)]) as api:
        assert "has a Link header that cannot be read" in str(failure_of(api))


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://127.0.0.1:port/", "//x:y"])
def test_a_link_or_redirect_that_leaves_the_web_is_not_followed(target: str) -> None:
    for script in (
        [json_answer([1], Link=f"<{target}>; rel=next")],
        [Answer(status=302, headers={"Location": target})],
    ):
        with scripted_api(script) as api:
            assert "points to an address that is no" in str(failure_of(api))
            assert len(api.asked) == 1


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 300}.example", ".", "a" * 5_000])
def test_a_host_whose_name_is_not_valid_is_named_with_the_page(host: str) -> None:
    words = r"is at a host whose name is not valid; nothing was loaded, check the address of the source\.$"
    for script, page in (
        ([json_answer([1], Link=f"<http://{host}/>; rel=next")], "page 2 of http://"),
        ([Answer(status=302, headers={"Location": f"http://{host}/"})], "page 1 of http://127"),
    ):
        with scripted_api(script) as api:
            error = str(failure_of(api))
        assert re.search(words, error) and page in error and host[:90] in error and len(error) < 400
    with pytest.raises(RestError, match=words):
        fetch(Endpoint("items", f"http://{host}/"), limits=QUICK)


def test_redirects_are_followed_but_not_for_ever() -> None:
    with scripted_api([Answer(status=307, headers={"Location": "/new"}), GOOD]) as api:
        assert fetch(items(api), limits=QUICK) == (GOOD.body,)
        assert api.targets == ["/items", "/new"]
    with scripted_api(lambda request: Answer(status=302, headers={"Location": request.target})) as api:
        assert "redirects more than 5 times" in str(failure_of(api))
        assert len(api.asked) == 6


def test_what_ends_the_wait_ends_the_fetch() -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with scripted_api([Answer(status=500)]) as api, pytest.raises(KeyboardInterrupt):
        fetch(items(api), limits=QUICK, sleep=interrupt)
