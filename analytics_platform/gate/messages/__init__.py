"""Decodes e-commerce messages: out of their envelopes, and their items out of whichever form they came in.

Hostile input raises `MessageError` or `ItemsError` and costs no more than its size.
"""

from analytics_platform.gate.messages.decode import RULES, DecodedMessage, decode_message
from analytics_platform.gate.messages.envelope import MessageError, unwrap
from analytics_platform.gate.messages.exact_json import canonical_json
from analytics_platform.gate.messages.items import ItemsError, parse_items

__all__ = [
    "RULES",
    "DecodedMessage",
    "ItemsError",
    "MessageError",
    "canonical_json",
    "decode_message",
    "parse_items",
    "unwrap",
]
