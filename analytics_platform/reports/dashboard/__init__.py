"""The dashboard: published tables in a web application, and a button that starts a run.

`views` show what `reports.queries` reads, `dagster_api` talks to Dagster over HTTP, `app` is what Streamlit runs and
`serve` starts it. Only day-grain tables are read: what a page costs does not grow with the events.
"""
