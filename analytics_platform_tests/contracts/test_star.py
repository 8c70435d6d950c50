"""What every fact and mart says of itself: the question it answers, and over which rows its numbers may be summed."""

from __future__ import annotations

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types, table_doc

SUMMED = [name for name in CONTRACTS if name.startswith(("star.fact_", "marts."))]
NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL")


@pytest.mark.parametrize("name", SUMMED)
def test_every_number_of_a_fact_or_mart_says_whether_it_may_be_summed(name: str) -> None:
    contract = CONTRACTS[name]
    keys = {*contract.table.key, *contract.table.foreign_keys}
    silent = [
        column
        for column, kind in column_types(contract).items()
        if kind.startswith(NUMBERS) and column not in keys and not column.endswith("_id")
        if contract.columns[column].metadata["sums"] is None
    ]
    assert not silent, f'say sums="additive", "semi-additive" or "not additive" of {silent}'


@pytest.mark.parametrize("name", [name for name in CONTRACTS if name.startswith(("star.", "marts."))])
def test_the_first_line_of_a_table_to_ask_is_its_grain_and_the_question_it_answers(name: str) -> None:
    first = table_doc(CONTRACTS[name]).partition("\n")[0]
    assert first.startswith("One row per "), first
    assert first.endswith("?"), first
