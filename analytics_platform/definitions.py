"""The code location. Importing it reads settings and nothing else; `build_definitions` says what is in it."""

from __future__ import annotations

import sys

from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.start import STOPPING, check_start, starts_run
from analytics_platform.settings import load_settings
from analytics_platform.warehouse import open_warehouse

__all__ = ["build_definitions", "defs"]

try:
    _settings = load_settings()
    check_start(sys.argv, _settings, open_warehouse(_settings))
    defs = build_definitions(_settings, outside=not starts_run(sys.argv))
except STOPPING as error:
    sys.exit(f"analytics-platform: {error}")
