"""Lists of JSON APIs: into the lake, the untouched answer first, so that no re-run needs a second call."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from analytics_platform.connectors.rest_api.content import encode_pages
from analytics_platform.lake import Batch, Lake
from analytics_platform.settings import Settings
from analytics_platform.sources.source import Arrival, Connect, Say, Source

if TYPE_CHECKING:  # the client is imported where it is called: each command reads the sources, few call an API
    from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits

SUFFIX = ".pages.jsonl"
"""End of the names of files with an answer."""


class JsonApi(Arrival):
    """The whole answer of an API, all its pages."""

    system = "users_api"
    about = "JSON API of users (USERS_API_URL)."
    description = "The untouched answer of USERS_API_URL, all its pages or nothing; each different answer once."
    kinds = ("json", "api")
    setting = "USERS_API_URL"

    def fetch(
        self, source: Source, settings: Settings, lake: Lake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Fetch the answer, if it is another than last time. Raises `RestError`."""
        batch = fetch_list(self.endpoint(source.name, settings), lake)
        words = f"a new answer, {batch.size:,} bytes" if batch else "the same as last time"
        say(f"{source.name} API: {words}")
        return {"answer": words}

    def shown(self, settings: Settings) -> str:
        """Give the server of the API alone: some APIs take their key as a part of the path."""
        server = re.match(r"(?i)https?://[^/?#]*", super().shown(settings))
        return server[0] if server else ""

    def endpoint(self, source: str, settings: Settings) -> Endpoint:
        """Give the API that the settings name. Raises `RestError` if they name none that can be asked."""
        from analytics_platform.connectors.rest_api.endpoint import Endpoint

        return Endpoint(source, settings.users_api_url.get_secret_value(), settings.users_api_authorization)


def fetch_list(endpoint: Endpoint, lake: Lake, limits: Limits | None = None) -> Batch | None:
    """Put an API's whole answer into the lake; None if it is the latest there. Raises `RestError`."""
    from analytics_platform.connectors.rest_api.endpoint import Limits
    from analytics_platform.connectors.rest_api.fetch import fetch

    latest = _latest(endpoint.name, lake)
    batch = put_answer(lake, endpoint.name, fetch(endpoint, limits or Limits()))
    return None if batch == latest else batch


def put_answer(lake: Lake, source: str, pages: Sequence[bytes]) -> Batch:
    """Store an answer as a batch: the latest if that is the same, else a new one, be it what the API said once before.

    The lake stores the same bytes once; empty lines at the end, which mean nothing, make such answers differ.
    """
    content, latest = encode_pages(source, pages), _latest(source, lake)
    while known := lake.batch_with(source, hashlib.sha256(content).hexdigest()):
        if known == latest:
            return known
        content += b"\n"
    return lake.put_bytes(source, source, SUFFIX, content)


def _latest(source: str, lake: Lake) -> Batch | None:
    batches = lake.batches(source)
    return batches[-1] if batches else None
