"""The code location. Importing it reads settings and nothing else; `build_definitions` says what is in it."""

from analytics_platform.orchestration.build import build_definitions
from analytics_platform.settings import load_settings

__all__ = ["build_definitions", "defs"]

defs = build_definitions(load_settings())
