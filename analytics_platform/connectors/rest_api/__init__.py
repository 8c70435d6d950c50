"""JSON APIs over HTTP: one small declaration per source, one call that gets a whole answer or nothing.

users = Endpoint("users", settings.users_api_url)
answer = fetch(users)                 # or RestError
encode_pages(answer.content)          # the unchanged bytes, for the lake
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
from analytics_platform.connectors.rest_api.errors import RestError
from analytics_platform.connectors.rest_api.fetch import Fetched, fetch

__all__ = [
    "Content",
    "ContentError",
    "Endpoint",
    "Fetched",
    "Limits",
    "Record",
    "RestError",
    "decode_pages",
    "encode_pages",
    "fetch",
    "records",
]
