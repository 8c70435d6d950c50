"""What a fetch brings: every page of one moment, untouched; or that nothing changed."""

from __future__ import annotations

import gzip
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from analytics_platform.connectors.rest_api import (
    Content,
    Cursor,
    Endpoint,
    Fetched,
    LinkHeader,
    NotModified,
    PageNumber,
    Pagination,
    RestError,
    Validators,
    encode_pages,
    fetch,
    records,
)
from analytics_platform_tests.connectors.rest_api.scripted import (
    QUICK,
    Answer,
    Clock,
    Request,
    Script,
    items,
    json_answer,
    scripted_api,
)

JSON = {"Content-Type": "application/json"}


def whole(endpoint: Endpoint, known: Validators | None = None) -> Fetched:
    outcome = fetch(endpoint, known, QUICK, Clock())
    assert isinstance(outcome, Fetched)
    return outcome


def ids(content: Content) -> list[int]:
    return [json.loads(record.raw)["id"] for record in records(content)]


def test_pages_keep_the_untouched_bytes_and_how_they_came() -> None:
    body = b'\xef\xbb\xbf [ {"id" : 1.50e0, "n": "\\u00e9 \xc3\xa9"} ]\r\n'
    with scripted_api([Answer(body, headers=JSON | {"ETag": 'W/"1"'})]) as api:
        fetched = whole(items(api))
        (page,) = fetched.pages
        assert (page.number, page.url, page.status, page.etag, page.body) == (1, api.url, 200, 'W/"1"', body)
    assert page.fetched_at.tzinfo is not None
    assert fetched.content == Content("items", "", (body,))
    assert fetched.verified


def test_a_compressed_answer_is_kept_as_what_it_stands_for() -> None:
    body = json.dumps([{"id": number} for number in range(1000)]).encode()
    with scripted_api([Answer(gzip.compress(body), headers=JSON | {"Content-Encoding": "gzip"})]) as api:
        assert whole(items(api)).content.bodies == (body,)
        assert api.asked[0].headers["accept-encoding"] == "gzip"


def test_an_empty_list_is_an_answer() -> None:
    with scripted_api([json_answer([])]) as api:
        assert whole(items(api)).count == 0


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/json", "application/hal+json", ""])
def test_json_is_known_by_any_of_its_names(kind: str) -> None:
    with scripted_api([Answer(b"[]", headers={"Content-Type": kind} if kind else {})]) as api:
        assert whole(items(api)).count == 0


def shop(answers: int) -> Script:
    """A second kind of API: orders in `data`, by number of page, three a page, with the total beside them."""
    orders = [{"id": number, "total": f"{number}.50"} for number in range(answers)]

    def answer(request: Request) -> Answer:
        query = parse_qs(urlsplit(request.target).query)
        start = (int(query["p"][0]) - 1) * 3
        assert query["per_page"] == ["100"], "the shop gives three a page whatever it is asked for"
        return json_answer({"data": orders[start : start + 3], "meta": {"total": len(orders)}})

    return answer


@pytest.mark.parametrize(("orders", "pages"), [(0, 1), (2, 1), (3, 1), (7, 3), (9, 3)])
def test_another_source_is_one_small_declaration(orders: int, pages: int) -> None:
    with scripted_api(shop(orders)) as api:
        source = Endpoint(
            name="orders",
            url=api.url,
            record_path="data",
            pagination=PageNumber("p", size_parameter="per_page", size=100),
            total_path="meta.total",
        )
        fetched = whole(source)
    assert ids(fetched.content) == list(range(orders))
    assert len(fetched.pages) == pages


def test_without_a_total_numbered_pages_end_with_an_empty_one() -> None:
    sizes = [2, 1, 2, 0]
    with scripted_api([json_answer([{"id": size}] * size) for size in sizes]) as api:
        assert ids(whole(items(api, pagination=PageNumber("_page", first_number=0))).content) == [2, 2, 1, 2, 2]
        assert api.targets == [f"/items?_page={number}" for number in range(4)]


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
            return json_answer([{"id": 2}], Link='</items?at=1>; rel="prev"')
        return json_answer([{"id": 1}], Link=link.replace("{url}", f"http://{request.headers['host']}/items"))

    with scripted_api(answer) as api:
        assert ids(whole(items(api, pagination=LinkHeader("_limit", 1))).content) == [1, 2]
        assert api.targets == ["/items?_limit=1", "/items?at=2"]


@pytest.mark.parametrize(
    ("pagination", "first"),
    [(Cursor("next"), "/items?after=x"), (Cursor("page.token", "after"), "x"), (Cursor("t", "after", True), None)],
)
def test_a_cursor_in_the_answer_is_followed(pagination: Cursor, first: str | None) -> None:
    def answer(request: Request) -> Answer:
        last = request.target == "/items?after=x"
        if first is None:
            return json_answer({"rows": [{"id": 1}]})
        at = {"next": None if last else first, "page": {"token": "" if last else first}}
        return json_answer({"rows": [{"id": 2 if last else 1}], **at})

    with scripted_api(answer) as api:
        found = ids(whole(items(api, pagination=pagination, record_path="rows")).content)
    assert found == ([1] if first is None else [1, 2])


@pytest.mark.parametrize("answer", [{"rows": [1]}, {"rows": [1], "next": []}, {"rows": [1], "next": {}}])
def test_a_cursor_that_is_gone_is_no_end(answer: object) -> None:
    with scripted_api([json_answer(answer)]) as api, pytest.raises(RestError, match="has no text at 'next' to go on"):
        fetch(items(api, pagination=Cursor("next"), record_path="rows"), limits=QUICK)


def test_an_unchanged_answer_is_not_fetched_again() -> None:
    def answer(request: Request) -> Answer:
        unchanged = request.headers.get("if-none-match") == '"v1"'
        return Answer(status=304) if unchanged else json_answer([{"id": 1}], ETag='"v1"')

    with scripted_api(answer) as api:
        first = whole(items(api))
        again = fetch(items(api), Validators.from_json(first.validators.to_json()), QUICK)
        assert again == NotModified("items", first.validators, ())
        assert len(api.asked) == 2


def test_an_answer_without_etag_is_asked_for_by_its_last_change() -> None:
    changed = "Wed, 21 Oct 2015 07:28:00 GMT"

    def answer(request: Request) -> Answer:
        unchanged = request.headers.get("if-modified-since") == changed
        return Answer(status=304) if unchanged else json_answer([1], Last_Modified=changed)

    with scripted_api(answer) as api:
        first = whole(items(api))
        assert isinstance(fetch(items(api), first.validators, QUICK), NotModified)
        assert api.asked[1].headers["if-modified-since"] == changed


def test_a_change_within_the_second_of_the_answer_cannot_be_missed() -> None:
    now = "Wed, 21 Oct 2099 07:28:00 GMT"
    with scripted_api([json_answer([1], Last_Modified=now), json_answer([2], Last_Modified=now)]) as api:
        first = whole(items(api))
        assert ids_of_texts(whole(items(api), first.validators).content) == ["2"]
        assert "if-modified-since" not in api.asked[1].headers


def ids_of_texts(content: Content) -> list[str]:
    return [record.raw for record in records(content)]


def test_equal_content_is_not_modified_whatever_the_api_calls_it() -> None:
    with scripted_api([json_answer([1], ETag='"a"'), json_answer([1], ETag='"b"')]) as api:
        first = whole(items(api))
        again = fetch(items(api), first.validators, QUICK)
    assert isinstance(again, NotModified)
    assert again.validators.stamps[0].etag == '"b"'


def test_a_changed_answer_is_fetched_with_one_request() -> None:
    with scripted_api([json_answer([1], ETag='"a"'), json_answer([2], ETag='"b"')]) as api:
        first = whole(items(api))
        assert ids_of_texts(whole(items(api), first.validators).content) == ["2"]
        assert len(api.asked) == 2


def test_nothing_is_taken_for_known_after_the_declaration_changed() -> None:
    with scripted_api([json_answer({"a": [1], "b": [2]}, ETag='"x"')] * 2) as api:
        first = whole(items(api, record_path="a"))
        assert whole(items(api, record_path="b"), first.validators).count == 1
        assert "if-none-match" not in api.asked[1].headers


def versioned(pages: dict[str, Answer]) -> Script:
    """Pages by their target, each with the hash of its content as ETag."""

    def answer(request: Request) -> Answer:
        page = pages[request.target]
        etag = f'"{hash(page.body)}"'
        if request.headers.get("if-none-match") == etag:
            return Answer(status=304)
        return Answer(page.body, page.status, {**page.headers, "ETag": etag})

    return answer


def test_numbered_pages_are_not_modified_only_if_none_is() -> None:
    pages = {f"/items?page={number}": json_answer([number] if number < 3 else []) for number in range(1, 5)}
    with scripted_api(versioned(pages)) as api:
        source = items(api, pagination=PageNumber())
        known = whole(source).validators
        assert isinstance(fetch(source, known, QUICK), NotModified)
        pages["/items?page=3"] = json_answer([3])
        assert ids_of_texts(whole(source, known).content) == ["1", "2", "3"]


@pytest.mark.parametrize("pagination", [LinkHeader(), PageNumber()])
def test_a_page_added_behind_unchanged_ones_is_found(pagination: Pagination) -> None:
    first = "/items" if isinstance(pagination, LinkHeader) else "/items?page=1"
    pages = {first: json_answer([1], X_Total_Count="1")}
    with scripted_api(versioned(pages)) as api:
        source = items(api, pagination=pagination, total_header="X-Total-Count")
        known = whole(source).validators
        assert isinstance(fetch(source, known, QUICK), NotModified)
        pages[first] = json_answer([1], X_Total_Count="2", Link='</items?page=2>; rel="next"')
        pages["/items?page=2"] = json_answer([2], X_Total_Count="2")
        assert ids_of_texts(whole(source, known).content) == ["1", "2"]


class Shifting:
    """Three pages of one record; a record is removed from the front after page 2 was read for the first time."""

    def __init__(self, calm_after: int, etags: bool = True) -> None:
        self.rows = list(range(100))
        self.calm_after = calm_after
        self.etags = etags

    def __call__(self, request: Request) -> Answer:
        number = int(request.target.partition("=")[2])
        body = json.dumps(self.rows[number - 1 : number] if number < 4 else []).encode()
        etag = f'"{hash(body)}"'
        if number == 2 and "if-none-match" not in request.headers and self.calm_after:
            self.calm_after -= 1
            del self.rows[0]
        if request.headers.get("if-none-match") == etag:
            return Answer(status=304)
        return Answer(body, headers=JSON | ({"ETag": etag} if self.etags else {}))


def test_pages_are_read_anew_when_the_data_changed_meanwhile() -> None:
    with scripted_api(Shifting(calm_after=1)) as api:
        fetched = whole(items(api, pagination=PageNumber()))
    assert ids_of_texts(fetched.content) == ["1", "2", "3"]
    assert fetched.verified


def test_an_api_that_never_calms_down_loads_nothing() -> None:
    with (
        scripted_api(Shifting(calm_after=9)) as api,
        pytest.raises(RestError, match=r"page 1 is another than before \(read 3 times\); nothing was loaded"),
    ):
        fetch(items(api, pagination=PageNumber()), limits=QUICK)


@pytest.mark.parametrize(("etags", "verify"), [(False, True), (True, False)])
def test_pages_of_uncertain_moment_are_said_to_be_unverified(etags: bool, verify: bool) -> None:
    with scripted_api(Shifting(calm_after=1, etags=etags)) as api:
        assert not whole(items(api, pagination=PageNumber(), verify=verify)).verified


def test_the_same_answer_makes_the_same_file() -> None:
    with scripted_api([json_answer([1], ETag='"a"'), json_answer([1], Date="x", ETag='"b"')]) as api:
        one, other = whole(items(api)), whole(items(api))
    assert one.pages != other.pages
    assert encode_pages(one.content) == encode_pages(other.content)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"fingerprint": 1, "stamps": [{"a": 1}]}', '{"fingerprint": "x"}'])
def test_damaged_validators_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="forget it and fetch all"):
        Validators.from_json(text)
