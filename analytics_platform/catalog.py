"""All tables: the contracts of the layers and those of the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType, ModuleType

from analytics_platform.contracts import (
    Contract,
    ContractType,
    cleaned,
    marts_customers,
    marts_products,
    marts_quality,
    marts_traffic,
    ops,
    sessionized,
    shop,
    star,
)
from analytics_platform.sources.registry import SOURCES

LAYERS = (cleaned, shop, sessionized, star, marts_traffic, marts_products, marts_customers, marts_quality)
"""The modules with the contracts of the models, in the order data flows."""


def _of_module(module: ModuleType) -> Iterator[ContractType]:
    """Yield the contracts of a module that have a table; the others are bases of contracts."""
    for value in vars(module).values():
        is_contract = isinstance(value, type) and issubclass(value, Contract) and hasattr(value, "_table")
        if is_contract and value.__module__ == module.__name__:
            yield value


_ALL = (*_of_module(ops), *(source.contract for source in SOURCES.values()), *chain(*map(_of_module, LAYERS)))
CONTRACTS: Mapping[str, ContractType] = MappingProxyType({contract.table.name: contract for contract in _ALL})
"""Table name → contract, in the order data flows."""
