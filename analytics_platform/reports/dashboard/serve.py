"""Starts the dashboard: Streamlit on loopback, without menus, messages to others, or tracebacks for readers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from analytics_platform.reports.colours import BLUE, INK, LINE, PAGE

APP = Path(__file__).parent / "app.py"
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "theme.base": "light",
    "theme.primaryColor": BLUE,
    "theme.textColor": INK,
    "theme.backgroundColor": PAGE,
    "theme.secondaryBackgroundColor": "#ffffff",
    "theme.borderColor": LINE,
    "theme.baseRadius": "0.6rem",
    "theme.showWidgetBorder": "true",
    "theme.metricValueFontSize": "1.45rem",
    "theme.metricValueFontWeight": "650",
}


def command(address: str, port: int) -> list[str]:
    """Return the command that serves the dashboard. Raises `ModuleNotFoundError` in one sentence without Streamlit."""
    if importlib.util.find_spec("streamlit") is None:
        raise ModuleNotFoundError("Streamlit is not installed: pip install 'analytics-platform[dashboard]'.")
    options = OPTIONS | {"server.address": address, "server.port": str(port)}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]
