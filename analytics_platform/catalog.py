"""All tables: the contracts of the layers and those of the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from analytics_platform.contracts import Contract, ContractType, cleaned, marts, ops, sessionized, shop, star
from analytics_platform.sources.registry import SOURCES


def _contracts() -> Iterator[ContractType]:
    """In the order data flows."""
    yield from _of_layer(ops)
    yield from (source.contract for source in SOURCES.values())
    for layer in (cleaned, shop, sessionized, star, marts):
        yield from _of_layer(layer)


def _of_layer(module: object) -> Iterator[ContractType]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == vars(module)["__name__"]:
            yield value


CONTRACTS: Mapping[str, ContractType] = MappingProxyType({contract.table.name: contract for contract in _contracts()})
"""Table name → contract."""
