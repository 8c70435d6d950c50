"""The demo's users API, and the fetch that reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from analytics_platform.connectors.rest_api import (
    Endpoint,
    Fetched,
    LinkHeader,
    NoPages,
    NotModified,
    PageNumber,
    Pagination,
    fetch,
    records,
)
from analytics_platform.demo.servers.http_api import serve_users

USERS = [{"id": number, "name": f"Ada {number}", "city": "Gävle"} for number in range(1, 8)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text(json.dumps(USERS, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("pagination", "total", "pages"),
    [
        (NoPages(), "", 1),
        (LinkHeader("_limit", 3), "X-Total-Count", 3),
        (PageNumber("_page", size_parameter="_limit", size=3), "", 4),
        (PageNumber("_page", size_parameter="_limit", size=3), "X-Total-Count", 3),
    ],
)
def test_all_users_are_read_and_then_known(file: Path, pagination: Pagination, total: str, pages: int) -> None:
    with serve_users(file) as url:
        source = Endpoint("users", url, pagination=pagination, total_header=total)
        fetched = fetch(source)
        assert isinstance(fetched, Fetched) and fetched.verified and len(fetched.pages) == pages
        assert [json.loads(record.raw) for record in records(fetched.content)] == USERS
        assert isinstance(fetch(source, fetched.validators), NotModified)
        file.write_text(json.dumps(USERS[:6]), encoding="utf-8")
        again = fetch(source, fetched.validators)
        assert isinstance(again, Fetched) and again.count == 6


def test_the_file_is_served_byte_for_byte(file: Path) -> None:
    with serve_users(file) as url:
        fetched = fetch(Endpoint("users", url))
    assert isinstance(fetched, Fetched) and fetched.content.bodies == (file.read_bytes(),)


def test_a_server_may_give_pages_unasked(file: Path) -> None:
    with serve_users(file, page_size=2) as url:
        fetched = fetch(Endpoint("users", url, pagination=LinkHeader()))
    assert isinstance(fetched, Fetched) and [page.number for page in fetched.pages] == [1, 2, 3, 4]


@pytest.mark.parametrize(("target", "status"), [("/", 404), ("?_limit=x", 400), ("?_limit=2&_page=x", 400)])
def test_what_is_not_served_is_told(file: Path, target: str, status: int) -> None:
    with serve_users(file) as url, pytest.raises(HTTPError) as caught:
        urlopen(url.removesuffix("/users") + "/" if target == "/" else url + target)
    assert caught.value.code == status
    caught.value.close()


def test_a_file_that_is_not_there_yet_is_for_later(tmp_path: Path) -> None:
    with serve_users(tmp_path / "none.json") as url, pytest.raises(HTTPError) as caught:
        urlopen(url)
    assert caught.value.code == 503 and caught.value.headers["Retry-After"] == "1"
    caught.value.close()


def test_the_server_runs_as_a_command(file: Path) -> None:
    command = [sys.executable, "-m", "analytics_platform.demo.servers.http_api", str(file), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name, _, url = process.stdout.readline().strip().partition("=")
        try:
            fetched = fetch(Endpoint("users", url))
        finally:
            process.terminate()
    assert name == "USERS_API_URL"
    assert isinstance(fetched, Fetched) and fetched.count == len(USERS)
