"""Where the data that other systems publish for their own tests is."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def conformance_data() -> Path:
    """The folder named by `CONFORMANCE_DATA`; skips, saying so, where there is none."""
    folder = Path(os.environ.get("CONFORMANCE_DATA") or PROJECT.parent / "shared" / "conformance")
    if not folder.is_dir():
        pytest.skip(f"no conformance data in {folder}: set CONFORMANCE_DATA to its folder")
    return folder
