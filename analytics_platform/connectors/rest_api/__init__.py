"""JSON APIs over HTTP: one small declaration per source, one call that gets a whole answer or nothing.

pages = fetch(Endpoint("users", settings.users_api_url.get_secret_value()))    # or RestError
encode_pages("users", pages)                                # the unchanged bytes, for the lake
for page in pages: split_records(page)
"""

from analytics_platform.connectors.rest_api.content import decode_pages, encode_pages, split_records
from analytics_platform.connectors.rest_api.endpoint import Endpoint, Limits, RestError
from analytics_platform.connectors.rest_api.fetch import fetch

__all__ = ["Endpoint", "Limits", "RestError", "decode_pages", "encode_pages", "fetch", "split_records"]
