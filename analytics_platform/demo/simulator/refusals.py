"""The words in which the platform refuses records of the signed-in sources.

A reason is `column: rule`; several are joined by `; ` in the order of the contract's columns.
"""

BODY_NOT_JSON = "body: not JSON"
ITEMS_UNREADABLE = "items: cannot be parsed"
USER_MISSING = "user_id: missing"
USER_NO_NAME = "user_id: not a text or whole number"
USER_NOT_WHOLE = "user_id: not a whole number"
STAMP_NO_TIME = "event_timestamp: not a time"
TIMESTAMP_NO_TIME = "timestamp: not a time"
OUT_OF_RANGE = "event_at: out of range"
NAME_MISSING = "event_name: missing"
ACTION_MISSING = "action: missing"
EMAIL_MALFORMED = "email: malformed"


def join(*reasons: str) -> str:
    """One reason of several, given in the order of the columns."""
    return "; ".join(reasons)
