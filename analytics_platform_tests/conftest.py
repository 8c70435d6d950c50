"""How all tests run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("platform", deadline=None)  # a busy machine is no fault
settings.load_profile("platform")
