"""Tables of arbitrary text, written as CSV by Python's own writer."""

import csv
import io
from collections.abc import Sequence

from hypothesis import strategies as st

_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
cells = st.text(st.one_of(st.sampled_from('",\n\r #a\ufeff'), _characters))
tables = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(cells, min_size=columns, max_size=columns), min_size=1, max_size=12)
)


def written(table: Sequence[Sequence[str]], quote_all: bool, line_end: str) -> bytes:
    """The table as CSV, all quoted if a cell holds a CR: the writer may else leave one bare before a LF."""
    bare = not quote_all and not any("\r" in cell for row in table for cell in row)
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL if bare else csv.QUOTE_ALL, lineterminator=line_end)
    writer.writerows(table)
    return text.getvalue().encode()
