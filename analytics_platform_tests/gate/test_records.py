from __future__ import annotations

import pytest

from analytics_platform.gate import records
from analytics_platform.gate.records import MalformedError, numbered, parse_records


def parse(text: str) -> list[str | None]:
    if text == "?":
        raise MalformedError("no")
    return [text, None]


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        (["a", "?", "b", "c"], [[1, 3, 4]]),
        (["a" * 60, "b" * 60, "c"], [[1, 2], [3]]),
        (["a" * 200, "b", "?", "c" * 200, "d"], [[1], [2, 4], [5]]),
        (["?"] * 200, [[]]),
        ([], []),
    ],
)
def test_records_are_taken_together_up_to_a_number_of_characters(
    texts: list[str], parts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "TEXT_AT_A_TIME", 100)

    found = list(parse_records(numbered(texts, None), ("one", "two"), parse, str))

    assert [part.positions.tolist() for part in found] == parts
    assert [text for part in found for text in part.values["one"]] == [text for text in texts if text != "?"]
    assert sum(part.malformed.height for part in found) == texts.count("?")
