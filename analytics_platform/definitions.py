"""The code location. Importing it reads settings and nothing else; `build_definitions` says what is in it."""

import os

from analytics_platform.orchestration.build import build_definitions
from analytics_platform.settings import load_settings

__all__ = ["build_definitions", "defs"]

# Every process that runs assets imports this. What they write, also by DuckDB, holds personal data: for its owner only.
os.umask(0o077)
defs = build_definitions(load_settings())
