"""Sentences for people read well, whatever led to them."""

from pathlib import Path

import pytest

import analytics_platform
from analytics_platform.errors import count
from analytics_platform.lake import UnreadableError
from analytics_platform.warehouse.faults import explain_fault


@pytest.mark.parametrize(
    ("number", "thing", "words"),
    [(0, "row", "0 rows"), (1, "batch", "1 batch"), (2, "batch", "2 batches"), (1200, "new file", "1,200 new files")],
)
def test_a_number_of_things_has_its_plural(number: int, thing: str, words: str) -> None:
    assert count(number, thing) == words


@pytest.mark.parametrize("error", [UnreadableError("expands too far"), ValueError("no number"), MemoryError()])
def test_no_sentence_about_a_batch_names_a_class(error: Exception) -> None:
    assert type(error).__name__ not in explain_fault(error)


def test_no_sentence_is_made_of_the_name_of_an_error() -> None:
    (folder,) = map(Path, analytics_platform.__path__)
    assert not [path for path in folder.rglob("*.py") if "type(error).__name__" in path.read_text("utf-8")]
