"""What every contract must say, so that everything that follows from contracts is complete."""

from __future__ import annotations

import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import is_gated
from analytics_platform.contracts.ddl import column_docs, column_types, table_doc
from analytics_platform.contracts.table import Days, TouchedKeys
from analytics_platform.transform import all_models
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse import LEDGER_TABLES, rule_descriptions
from analytics_platform_tests.kit import HISTORIES

LOADED_BY_THE_GATE = {name for name, contract in CONTRACTS.items() if is_gated(contract)}
"""Tables that batches are loaded into."""

every_contract = pytest.mark.parametrize("name", CONTRACTS)


@every_contract
def test_table_and_columns_are_described(name: str) -> None:
    contract = CONTRACTS[name]
    first, *_ = table_doc(contract).splitlines()
    assert first.startswith("One row per ") and first.endswith("?"), "the first line is the grain and the question"
    assert [column for column, doc in column_docs(contract).items() if not doc.strip()] == []


@every_contract
def test_primary_key_columns_exist_and_are_never_null(name: str) -> None:
    columns, key = CONTRACTS[name].columns, CONTRACTS[name].table.key
    assert key
    assert [column for column in key if columns[column].nullable] == []


@every_contract
def test_partition_column_is_a_day_that_is_never_null(name: str) -> None:
    table = CONTRACTS[name].table
    assert (table.partition is not None) or table.write != "days"
    if table.partition is not None:
        assert column_types(CONTRACTS[name])[table.partition] == "DATE"
        assert not CONTRACTS[name].columns[table.partition].nullable


@every_contract
def test_foreign_keys_hold_the_key_of_a_dimension(name: str) -> None:
    types = column_types(CONTRACTS[name])
    for column, dimension in CONTRACTS[name].table.foreign_keys.items():
        (key,) = CONTRACTS[dimension].table.key
        assert types[column] == column_types(CONTRACTS[dimension])[key]
        assert not CONTRACTS[name].columns[column].nullable, "facts never have null foreign keys"


@every_contract
def test_windows_are_on_inputs_that_the_model_reads(name: str) -> None:
    reads = CONTRACTS[name].table.reads
    assert set(reads) <= set(all_models()[name].inputs if name in all_models() else CONTRACTS)
    for source, part in reads.items():
        if isinstance(part, TouchedKeys):
            assert part.column in column_types(CONTRACTS[source])
        if isinstance(part, Days):
            assert CONTRACTS[source].table.partition is not None


@every_contract
def test_every_check_has_a_unique_name_and_says_what_it_checks(name: str) -> None:
    described = rule_descriptions(CONTRACTS[name])
    names = [rule.name for rule in CONTRACTS[name].rules]
    assert len(set(names)) == len(names)
    assert [rule for rule, (description, _) in described.items() if not description.strip()] == []


def test_every_table_but_the_ledger_is_made_by_sql_or_python() -> None:
    made = {*all_models(), *LOOKUPS, *LOADED_BY_THE_GATE}
    assert set(CONTRACTS) - {contract.table.name for contract in LEDGER_TABLES} - HISTORIES == made


def test_no_table_is_made_twice() -> None:
    assert set(all_models()).isdisjoint(LOOKUPS)
