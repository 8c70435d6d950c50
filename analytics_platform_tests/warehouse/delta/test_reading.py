"""Small files are read whole and kept, in no more memory than is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.warehouse.delta import reading
from analytics_platform.warehouse.delta.place import again
from analytics_platform.warehouse.delta.reading import KeptFiles

FILES: Mapping[str, bytes] = {"a": b"a" * 40, "b": b"b" * 50, "c": b"c" * 60, "large": b"l" * 150, "empty": b""}


def reader(name: str, reads: Counter[str]) -> Callable[[], bytes]:
    def read() -> bytes:
        reads[name] += 1
        return FILES[name]

    return read


@given(st.lists(st.sampled_from([*FILES]), max_size=30))
def test_a_file_that_is_asked_for_has_its_content_and_what_is_kept_is_bounded(asked: list[str]) -> None:
    reads = Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_KEPT_BYTES", 100)
        kept = KeptFiles()
        for name in asked:
            assert kept.get(name, reader(name, reads)) == FILES[name]
            assert sum(map(len, kept._contents.values())) <= 100
    assert all(reads[name] <= asked.count(name) for name in asked)


def test_a_file_that_was_read_lately_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_KEPT_BYTES", 100)
    reads, kept = Counter[str](), KeptFiles()
    for name in ("a", "b", "a", "c", "a", "b"):  # `c` has no room beside both, and `b` was asked for before `a`
        kept.get(name, reader(name, reads))
    assert reads == {"a": 1, "b": 2, "c": 1}


def test_a_bucket_whose_answer_was_cut_off_is_asked_again_and_no_other() -> None:
    cut = "Generic S3 error: HTTP error: request or response body error: end of file before message length reached"
    answers: list[object] = [OSError(cut), OSError(cut), b"rows"]

    def ask() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert again(ask)() == b"rows"
    answers += [OSError("Generic S3 error: 404 Not Found"), b"rows"]
    with pytest.raises(OSError, match="404"):
        again(ask)()
    assert answers == [b"rows"]
