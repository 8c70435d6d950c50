"""What says that a value is missing, in all sources alike.

The same rules stand in `gate/types.py` (`present`, for columns) and in `models/macros/functions.sql` (`known`,
`known_id`, for values inside JSON).
"""

from __future__ import annotations

import re
import unicodedata

MISSING = frozenset(
    {
        *("", "null", "none", "nil", "nan", "n/a", "undefined", "(not set)", "(none)", "[object object]"),
        *("#n/a", "<na>", "<null>", "\\n"),  # of spreadsheets, pandas, database tools, and \N of MySQL and PostgreSQL
        *("-", "--"),  # of server logs and people
        "00000000-0000-0000-0000-000000000000",
    }
)
"""Texts that are no value, trimmed and in lower case: what exports, tags and scripts write for nothing."""

CLIENT = "client_id"

IDS = frozenset({CLIENT, "user_id", "transaction_id"})
"""Columns with ids of clients, users and orders: there `0` is missing too, `123.0` is `123`, a UUID lower case."""


_BLANKS = "".join(chr(code) for code in range(0x10000) if chr(code).isspace() and not 0x1C <= code <= 0x1F)
"""What Unicode calls white space. Python takes four control characters for it too, Polars does not."""


def known(text: str) -> str | None:
    """Return a text in Unicode NFC without the blanks around it; None if it says that the value is missing."""
    text = unicodedata.normalize("NFC", text.strip(_BLANKS))
    return None if text.lower() in MISSING else text


RESERVED = r"^\s*(?:client|user|erased):"
"""How clients are called that the platform names: user:7 has no client in its source, erased:… was erased."""

PSEUDONYM = "^erased:[0-9a-f]{16}$"
"""What an erasure writes for a client."""


def own_client(text: str) -> str:
    """Return a tracker's id of a client: one that is written like a name of the platform begins with `client:` too."""
    is_own = re.match(RESERVED, text) and not re.match(PSEUDONYM, text)
    return f"client:{text.strip(_BLANKS)}" if is_own else text


UUID = "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
"""A UUID: RFC 9562 reads it in any case, writes it in lower case. Other ids that differ in case are different ids."""


def known_id(text: str) -> str | None:
    """Return an id of a client, user or order as `known` does, a UUID in lower case; None also for `0`."""
    found = re.sub(r"^([0-9]+)\.0$", r"\1", known(text) or "0")
    return None if found == "0" else found.lower() if re.match(UUID, found) else found
