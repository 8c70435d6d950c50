"""Reads CSV files so that every line ends in exactly one record, well-formed or malformed with a reason."""

from analytics_platform.gate.csv.header import Header, HeaderError, read_header
from analytics_platform.gate.csv.lines import REASONS, Flaw
from analytics_platform.gate.csv.records import Block, split
from analytics_platform.gate.csv.text import to_text_frame

__all__ = ["REASONS", "Block", "Flaw", "Header", "HeaderError", "read_header", "split", "to_text_frame"]
