"""Users: from the REST API into the lake, the untouched answer first, so that no re-run needs a second call."""

from __future__ import annotations

import json

from analytics_platform.ingest.sources import USERS
from analytics_platform.lake import Batch, FolderLake
from analytics_platform.settings import Settings
from analytics_platform.sources.rest_api import Endpoint, LinkHeader, NotModified, Validators, encode_pages, fetch


def users_endpoint(settings: Settings) -> Endpoint:
    """The API of users that the settings name."""
    secrets = {"Authorization": settings.users_api_authorization} if settings.users_api_authorization else {}
    return Endpoint(USERS, settings.users_api_url, pagination=LinkHeader(), secret_headers=secrets)


def fetch_users(settings: Settings, lake: FolderLake) -> Batch | None:
    """Put the API's whole answer into the lake; None if it is the one that is there. Raises `RestError`."""
    endpoint = users_endpoint(settings)
    answer = fetch(endpoint, _known(endpoint, lake))
    if isinstance(answer, NotModified):
        return None
    batch = lake.put_bytes(USERS, USERS, ".pages.jsonl", encode_pages(answer.content))
    note = {"url": endpoint.url, "batch": batch.content_sha256, "validators": answer.validators.to_json()}
    lake.note(USERS, json.dumps(note))
    return batch


def _known(endpoint: Endpoint, lake: FolderLake) -> Validators | None:
    """What the server said of its last answer, as long as that answer is in the lake."""
    noted = json.loads(lake.noted(USERS) or "{}")
    if noted.get("url") != endpoint.url or lake.batch_with(USERS, noted["batch"]) is None:
        return None
    return Validators.from_json(noted["validators"])
