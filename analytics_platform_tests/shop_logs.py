"""Interaction logs and users of the web shop for tests, and their way into a platform without their servers."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import bson
from bson.objectid import ObjectId

from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.api import put_answer
from analytics_platform.sources.arrivals.collection import to_parquet
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Platform
from analytics_platform_tests.names import USERS, WEB_LOGS

_numbers = itertools.count(1)


def log(
    user: object, at: dt.datetime, action: str = "view_item", item: str | None = None, **fields: Any
) -> dict[str, Any]:
    """A log that happened and was made at a naive UTC time; other fields go in as they are."""
    made = ObjectId(ObjectId.from_datetime(at).binary[:4] + next(_numbers).to_bytes(8, "big"))
    product = {} if item is None else {"item_name": item}
    metadata = {"device": "Mobile", "session_id": 12345}
    return {"_id": made, "user_id": user, "action": action, **product, "timestamp": at, "metadata": metadata, **fields}


def user(user_id: object, name: str = "Ada Lovelace", **fields: object) -> dict[str, object]:
    """A user as the API gives it; other fields go in as they are."""
    return {"id": user_id, "name": name, **fields}


def put_logs(platform: Platform, documents: Sequence[Mapping[str, Any]]) -> Batch:
    """Put documents into the lake as one batch, as reading the collection does."""
    return platform.lake.put_bytes(WEB_LOGS, "shop.web_logs", ".parquet", to_parquet(list(map(bson.encode, documents))))


def put_users(platform: Platform, *users: Mapping[str, object]) -> Batch:
    """Put an answer of the users API into the lake, as fetching it does."""
    return put_answer(platform.lake, USERS, [json.dumps(users).encode()])


def load(platform: Platform, *sources: str) -> dict[str, tuple[int, int, int]]:
    """Load the new batches of these sources (logs and users without): source → accepted, duplicate, quarantined."""
    found = {}
    with platform.session() as session:
        for source in sources or (WEB_LOGS, USERS):
            loaded = [
                one
                for _, one in load_new_batches(
                    SOURCES[source], session, platform.settings, platform.lake, run_id="test"
                )
            ]
            found[source] = (
                sum(one.rows_accepted for one in loaded),
                sum(one.rows_duplicate for one in loaded),
                sum(one.rows_quarantined for one in loaded),
            )
    return found
