"""A handful of random kills; `python -m analytics_platform_tests.reliability.chaos` does hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform_tests.reliability.chaos import STEPS, chaos


@pytest.mark.parametrize("warehouse", ["duckdb", "postgresql"])
def test_killed_at_random_while_it_loads_withdraws_and_erases_a_platform_ends_as_if_undisturbed(
    warehouse: str, tmp_path: Path
) -> None:
    wanted = [step for step in STEPS if step[0] in ("load and publish", "withdraw", "erase")]
    assert chaos(tmp_path, warehouse, kills=6, seed=1, steps=wanted, per_step=2).total() == 6
