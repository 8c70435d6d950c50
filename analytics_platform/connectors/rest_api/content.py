"""The content of an answer, to keep in the lake as one file and to take apart into records.

The file is JSON lines: a line that says what it is, then one line per page with its body as a string. Nothing in it
tells when or how the answer came, so the same answer is the same file with the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_platform.connectors.rest_api.document import record_texts, to_text

FORMAT = "rest-pages-1"
SUFFIX = ".pages.jsonl"
"""End of the name of such a file."""


class ContentError(ValueError):
    """A file is not one that `encode_pages` wrote; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Content:
    """The untouched bodies of all pages, in order, and where in each of them the list of records is."""

    endpoint: str
    record_path: str
    bodies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its JSON text exactly as it stands in the answer.

    `position` counts from 1 through all pages, `page` from 1, `index` from 1 within the page.
    """

    position: int
    page: int
    index: int
    raw: str


def encode_pages(content: Content) -> bytes:
    """The content as one file. Bodies must be UTF-8, as those that `fetch` returns are."""
    head = {"format": FORMAT, "endpoint": content.endpoint, "record_path": content.record_path}
    lines: list[dict[str, object]] = [{**head, "pages": len(content.bodies)}]
    lines += [{"page": number, "body": body.decode("utf-8")} for number, body in enumerate(content.bodies, 1)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8")


def decode_pages(data: bytes) -> Content:
    """The content of a file that `encode_pages` wrote, byte for byte. Raises `ContentError`."""
    try:
        head, *pages = [json.loads(line) for line in data.decode("utf-8").split("\n") if line]
        content = Content(head["endpoint"], head["record_path"], tuple(page["body"].encode("utf-8") for page in pages))
        whole = head["format"] == FORMAT and [page["page"] for page in pages] == list(range(1, head["pages"] + 1))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ContentError("the file holds no answer of an API") from error
    if not whole:
        raise ContentError("the file holds no answer of an API in the known format, or not all of it")
    return content


def records(content: Content) -> Iterator[Record]:
    """Every record of every page, in order. Raises `DocumentError` if a body is not what `fetch` lets pass."""
    position = 0
    for page, body in enumerate(content.bodies, 1):
        for index, raw in enumerate(record_texts(to_text(body), content.record_path), 1):
            position += 1
            yield Record(position, page, index, raw)
