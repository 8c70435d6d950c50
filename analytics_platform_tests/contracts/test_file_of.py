"""A remedy names the file in which its rule stands."""

from pathlib import Path

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import file_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("table", CONTRACTS)
def test_the_file_named_for_a_table_is_the_one_that_holds_its_contract(table: str) -> None:
    text = (ROOT / file_of(CONTRACTS[table])).read_text("utf-8")
    assert f"\nclass {CONTRACTS[table].__name__}(" in text
    assert f'table="{table}"' in text
