"""How all tests run."""

from __future__ import annotations

import pytest
from hypothesis import settings

from analytics_platform.assets import retries

settings.register_profile("platform", deadline=None)  # a busy machine is no fault
settings.load_profile("platform")


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that is tried again does not wait before it, in the process of the test."""
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.01)
