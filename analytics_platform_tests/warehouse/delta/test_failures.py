"""What may pass by itself is asked of a bucket again."""

from __future__ import annotations

import pytest

from analytics_platform.warehouse.delta.failures import again


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
