"""Tests of which `make test` runs a part; `make test-slow` runs the rest."""

from __future__ import annotations

import pytest


def spread(cases: int, quick: int) -> list[pytest.ParameterSet]:
    """Return the parameters 0 to `cases` - 1. All are marked slow but `quick` ones, spread evenly."""
    chosen = {number * cases // quick for number in range(quick)}
    return [pytest.param(number, marks=() if number in chosen else pytest.mark.slow) for number in range(cases)]
