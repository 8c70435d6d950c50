"""Synthetic web-shop traffic with the truth written down."""

from analytics_platform.demo.simulator.files import (
    PURCHASES,
    BoughtOrder,
    read_documents,
    read_messages,
    read_purchases,
)
from analytics_platform.demo.simulator.run import FolderInUseError, simulate
from analytics_platform.demo.simulator.truth import Totals, Truth

__all__ = [
    "PURCHASES",
    "BoughtOrder",
    "FolderInUseError",
    "Totals",
    "Truth",
    "read_documents",
    "read_messages",
    "read_purchases",
    "simulate",
]
