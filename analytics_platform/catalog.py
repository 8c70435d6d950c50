"""All tables: the contracts of the layers and those of the sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from analytics_platform.contracts import Contract, ContractType
from analytics_platform.contracts.base import file_of
from analytics_platform.contracts.check import DeclarationError, check, load
from analytics_platform.sources.registry import SOURCES

_MARTS = ("marts_traffic", "marts_products", "marts_customers", "marts_quality")
_SESSIONIZED = ("sessionized", "sessionized_products", "sessionized_persons")
_LAYERS = ("cleaned", "shop", *_SESSIONIZED, "star", "star_orders", "star_pages", *_MARTS)
"""The modules of contracts/ with the contracts of the models, in the order data flows."""


def _of_module(name: str) -> Iterator[ContractType]:
    """Yield the contracts of a module of contracts/ that have a table; the others are bases of contracts."""
    module = load(f"{__package__}.contracts.{name}")
    for value in vars(module).values():
        is_contract = isinstance(value, type) and issubclass(value, Contract) and hasattr(value, "_table")
        if is_contract and value.__module__ == module.__name__:
            yield value


def collect(contracts: Iterable[ContractType]) -> Mapping[str, ContractType]:
    """Map table names to contracts. Raises `DeclarationError` for a wrong contract, and for two of one table."""
    found: dict[str, ContractType] = {}
    for contract in contracts:
        check(contract)
        other = found.setdefault(contract.table.name, contract)
        if other is not contract:
            place = f"{file_of(contract)}: class {contract.__name__}"
            raise DeclarationError(
                f"{place} has the table {contract.table.name}, which class {other.__name__} in {file_of(other)} has: "
                "write another table=."
            )
    for contract in found.values():
        for column, dimension in contract.table.foreign_keys.items():
            if dimension not in found:
                raise DeclarationError(
                    f"{file_of(contract)}: class {contract.__name__}: foreign_keys says that {column} holds a key of "
                    f"{dimension}, but no contract has that table: correct its name."
                )
    return MappingProxyType(found)


CONTRACTS = collect(
    (*_of_module("ops"), *(source.contract for source in SOURCES.values()), *chain(*map(_of_module, _LAYERS)))
)
"""Table name → contract, in the order data flows."""
