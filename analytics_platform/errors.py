"""What all errors have in common that a person, not the code, has to put right."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from difflib import get_close_matches

STOPPED = "Stopped by Ctrl-C or SIGTERM: nothing is half written, and the same command goes on."
QUERY_STOPPED = "Query interrupted"
"""The `RuntimeError` that DuckDB raises in place of what the handler of a signal raises during a query."""


class UserError(Exception):
    """Something a person has to put right. The message is one sentence that says what, where and what to do.

    The command line prints it and exits 2, an asset fails with it: nobody is shown a traceback.
    """


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Ask for those of `names` that `name` may stand for, also without what precedes their last part; empty if none."""
    ends = {each: re.split("[./]", each)[-1] for each in names}
    close = get_close_matches(name, {*names, *ends.values()})
    found = dict.fromkeys(each for word in close for each in names if word in (each, ends[each]))
    return f"did you mean {' or '.join(found)}?" if found else ""


def complain(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(printable(sentence), file=sys.stderr)


def printable(text: str) -> str:
    """Write characters that cannot be seen, such as line breaks, as escapes: `\\n`, `\\x1b`."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def some(names: Sequence[str], most: int = 10, longest: int = 40) -> list[str]:
    """Give the first names from outside, cut where they are long; `others` stands for those that are left out."""
    cut = [name if len(name) <= longest else f"{name[:longest]}…" for name in names[:most]]
    return cut if len(names) <= most else [*cut, "others"]


def count(number: int, thing: str) -> str:
    """Write a number of things: `1 order`, `1,200 orders`, `2 batches`."""
    return f"{number:,} {thing}{'' if number == 1 else 'es' if thing.endswith(('ch', 's')) else 's'}"
