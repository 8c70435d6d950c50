"""JSON APIs over HTTP: one small declaration per source, one call that gets a whole answer or nothing.

pages = fetch(Endpoint("users", settings.users_api_url.get_secret_value()))    # or RestError
encode_pages("users", pages)                                # the unchanged bytes, for the lake
for page in pages: split_records(page)
"""
