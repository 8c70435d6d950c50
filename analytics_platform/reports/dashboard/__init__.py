"""The dashboard: published tables for people who prefer looking to reading, and a button that starts a run.

`queries` reads the warehouse, `dagster_api` talks to Dagster over HTTP, `pages` show what they give, `app` is what
Streamlit runs and `serve` starts it. Only day-grain tables are read: what a page costs does not grow with the events.
"""
