"""JSON APIs over HTTP: one small declaration per source, one call that gets a whole answer or nothing.

USERS = Endpoint("users", settings.users_api_url)
answer = fetch(USERS, known)          # Fetched, NotModified, or RestError
encode_pages(answer.content)          # the untouched bytes, for the lake
for record in records(answer.content): …
"""

from analytics_platform.connectors.rest_api.content import (
    Content,
    ContentError,
    Record,
    decode_pages,
    encode_pages,
    records,
)
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits
from analytics_platform.connectors.rest_api.errors import RestError, Retry
from analytics_platform.connectors.rest_api.fetch import Fetched, NotModified, fetch
from analytics_platform.connectors.rest_api.page import Page, Stamp, Validators
from analytics_platform.connectors.rest_api.pagination import Cursor, LinkHeader, NoPages, PageNumber, Pagination

__all__ = [
    "Content",
    "ContentError",
    "Cursor",
    "Endpoint",
    "Fetched",
    "Limits",
    "LinkHeader",
    "NoPages",
    "NotModified",
    "Page",
    "PageNumber",
    "Pagination",
    "Record",
    "RestError",
    "Retry",
    "Stamp",
    "Validators",
    "decode_pages",
    "encode_pages",
    "fetch",
    "records",
]
