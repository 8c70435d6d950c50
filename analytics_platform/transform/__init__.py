"""Turns SQL models and the days to build into queries: DuckDB on one machine, Spark on many.

There is no Dagster in here and no connection to a warehouse, which decides where a query runs.
"""

from analytics_platform.transform.affected import affected_days, build_order, day_ranges, is_behind, refreshed_days
from analytics_platform.transform.model import Model, all_models, column_lineage, find_model
from analytics_platform.transform.plan import DayRange, Keys, Query, plan, reads_of, window_of
from analytics_platform.transform.sql import ModelError

__all__ = [
    "DayRange",
    "Keys",
    "Model",
    "ModelError",
    "Query",
    "affected_days",
    "all_models",
    "build_order",
    "column_lineage",
    "day_ranges",
    "find_model",
    "is_behind",
    "plan",
    "reads_of",
    "refreshed_days",
    "window_of",
]
