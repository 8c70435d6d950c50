"""A real Chromium, headless. These tests run only when named (`make test-browser`), and then nothing is skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")

try:
    from playwright.sync_api import Browser, sync_playwright
except ModuleNotFoundError:
    pytest.exit("The browser tests need Playwright: pip install 'analytics-platform[browser]'.", returncode=2)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.exit("The browser tests need Chromium: apt-get install chromium.", returncode=2)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
