"""The demo's users API, and the fetch that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from analytics_platform.connectors.rest_api.content import split_records
from analytics_platform.connectors.rest_api.endpoint import Endpoint
from analytics_platform.connectors.rest_api.fetch import fetch
from analytics_platform.demo.servers.start import serve_users

USERS = [{"id": number, "name": f"Ada {number}", "city": "Gävle"} for number in range(1, 8)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text(json.dumps(USERS, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


@pytest.mark.parametrize(("page_size", "pages"), [(0, 1), (3, 3), (2, 4)])
def test_all_users_are_read_from_one_page_or_several(file: Path, page_size: int, pages: int) -> None:
    with serve_users(file, page_size=page_size) as url:
        fetched = fetch(Endpoint("users", url))
    assert len(fetched) == pages
    assert [json.loads(text) for page in fetched for text in split_records(page)] == USERS


def test_the_file_is_served_byte_for_byte(file: Path) -> None:
    with serve_users(file) as url:
        assert fetch(Endpoint("users", url)) == (file.read_bytes(),)
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{url}/none")


def test_a_file_that_is_not_there_yet_is_for_later(tmp_path: Path) -> None:
    with serve_users(tmp_path / "none.json") as url, pytest.raises(HTTPError) as caught:
        urlopen(url)
    assert caught.value.code == 503 and caught.value.headers["Retry-After"] == "1"
    caught.value.close()
