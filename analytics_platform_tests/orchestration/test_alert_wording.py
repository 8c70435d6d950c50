from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.orchestration.alerts.incidents import EndedRun, Incident, News, Problem
from analytics_platform.orchestration.alerts.messages import to_slack, to_text, write

AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
URL = "https://dagster.example/"
HOSTILE = st.text(st.sampled_from("<>&`*_~|@!#\n\r\t\x00\x1b\u202e\u2028 ab"), max_size=60)


def _failed(*problems: Problem) -> News:
    run = EndedRun(run_id="0123456789", job="rebuild_days", ended_at=AT, problems=problems)
    return News(kind="failed", run=run, problems=problems)


def _problem(**values: object) -> Problem:
    return Problem(**{"key": "k", "title": "marts/x: check y", **values})  # type: ignore[arg-type]


def test_a_failed_check_is_reported_with_its_asset_figures_sample_remedy_and_links() -> None:
    problem = _problem(
        asset="marts/x",
        detail="3 of 9 rows break it.",
        figures={"failing rows": "3"},
        sample=("id=7 | revenue=-1",),
        remedy="Ask the shop.",
    )

    written = write(_failed(problem), URL)

    assert written.title == "Failed: marts/x: check y"
    assert written.link == "https://dagster.example/runs/0123456789"
    for words in (
        "3 of 9 rows break it.",
        "failing rows: 3",
        "id=7 | revenue=-1",
        "what to do: Ask the shop.",
        "look: https://dagster.example/assets/marts/x?view=checks",
        "In run 01234567 of rebuild_days.",
    ):
        assert words in to_text(written)
        assert words.replace("&", "&amp;") in json.dumps(to_slack(written), ensure_ascii=False)


@pytest.mark.parametrize("batches", [1, 12, 45, 200])
def test_a_long_remedy_is_cut_between_commands_and_ids(batches: int) -> None:
    ids = [f"{number:016x}" for number in range(batches)]
    remedy = f"Look, then run `replay {' '.join(ids)}`; or `accept {' '.join(ids)} --reason '…'`. After that, build."

    text = to_text(write(_failed(_problem(remedy=remedy)), URL))

    assert {*re.findall(r"\b[0-9a-f]{2,}\b", text.partition("In run")[0])} <= {*ids}
    assert ("the rest is in the failed check" in text) == (batches > 12)
    assert ("`accept" in text) == (batches <= 12) and ids[0] in text


def test_recovery_says_how_often_and_since_when() -> None:
    incident = Incident(title="marts/x: check y", since=AT, last=AT, reported=AT, count=4)
    written = write(News(kind="recovered", incidents=(incident,)), URL)

    assert written.title == "Recovered: marts/x: check y"
    assert written.parts == ("marts/x: check y: resolved, after 4 failures since 1 Mar 2026, 12:00 UTC",)


def test_many_problems_of_one_run_are_counted() -> None:
    written = write(_failed(*[_problem(title=f"check {number}") for number in range(30)]), URL)

    assert written.title == "Failed: check 0 and 29 more"
    assert "and 22 more in the same run" in written.parts


@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_text_is_only_text(title: str, detail: str, cell: str) -> None:
    problem = _problem(title=title, detail=detail, sample=(cell,), figures={cell: detail}, remedy=cell, asset=title)
    slack = to_slack(write(_failed(problem), URL))

    header, *sections, link = slack["blocks"]
    assert header["text"]["type"] == "plain_text"
    assert "\n" not in header["text"]["text"]
    for section in sections:
        text = section["text"]["text"]
        assert text.startswith("```")
        assert text.endswith("```")
        assert "`" not in text[3:-3]
        assert "<" not in text
        assert ">" not in text
    assert link["text"]["text"] == "<https://dagster.example/runs/0123456789|Open in Dagster>"
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Zl") and sign != "\n" for sign in json.dumps(slack))


@pytest.mark.parametrize("length", [0, 1, 3000, 100_000])
def test_no_part_is_longer_than_slack_takes(length: int) -> None:
    problem = _problem(title="&" * length, detail="<" * length, sample=("&" * length,) * 50, remedy="x" * length)
    slack = to_slack(write(_failed(*[problem] * 50), URL))

    assert len(slack["blocks"]) <= 50
    assert len(slack["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in slack["blocks"])
