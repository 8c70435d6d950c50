"""Reads what is in one raw value: a URL, a user agent, a traffic source.

Pure functions over *distinct* values. A model collects the distinct values of a column, has them parsed here
once, and joins the result back; nothing in this package knows of a warehouse or of Dagster.
"""

from analytics_platform.transform.lookups.source_categories import source_categories
from analytics_platform.transform.lookups.urls import parse_urls
from analytics_platform.transform.lookups.user_agents import parse_user_agents

__all__ = ["parse_urls", "parse_user_agents", "source_categories"]
