"""JSON APIs over HTTP: one small declaration per source, one call that gets a whole answer or nothing.

answer = fetch(Endpoint("users", settings.users_api_url))    # or RestError
encode_pages(answer)                                         # the unchanged bytes, for the lake
for record in records(answer): …
"""

from analytics_platform.connectors.rest_api.content import Content, decode_pages, encode_pages, records
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError
from analytics_platform.connectors.rest_api.fetch import fetch

__all__ = ["Content", "Endpoint", "Limits", "RestError", "decode_pages", "encode_pages", "fetch", "records"]
