"""The sources: which contract their records are held against, and how a batch of each is taken apart.

A new source is one entry here, a contract, and an asset that fetches it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

from analytics_platform.contracts import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate import CSV_REASONS, MESSAGE_REASONS, Records, read_csv, read_messages, reasons_of

CLICKSTREAM = "clickstream"
ECOMMERCE_EVENTS = "ecommerce_events"

Reader: TypeAlias = Callable[[BinaryIO, ContractType, Collection[int] | None], Iterator[Records]]
"""Takes a batch apart; given positions, only the records at these."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of raw input. `malformed` are the reasons for which a record of it cannot be taken apart at all."""

    name: str
    read: Reader
    malformed: tuple[str, ...]

    @property
    def contract(self) -> ContractType:
        """The contract that its records are held against."""
        return CONTRACTS[f"cleaned.{self.name}"]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason for which the gate refuses one of its records."""
        return tuple(dict.fromkeys((*reasons_of(self.contract), *self.malformed)))


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        source.name: source
        for source in (
            Source(CLICKSTREAM, read_csv, CSV_REASONS),
            Source(ECOMMERCE_EVENTS, read_messages, MESSAGE_REASONS),
        )
    }
)
"""Every source by its name."""


def contract_of(source: str) -> ContractType:
    """The contract that the rows of a source are held against."""
    return SOURCES[source].contract
