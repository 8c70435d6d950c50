"""Whatever files a person is in, in any order: the tables are as if they had come without."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import LEDGER_TABLES, Session
from analytics_platform_tests.kit import Contents, Row, click, contents, load_landed, open_platform, to_csv
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.sources.test_person import ADA
from analytics_platform_tests.warehouse.test_erase import erase_person

HERS, NAMES_HER, REJECTED = (
    click(ADA, "2024-03-01T10:00:00Z"),
    click("bob", "2024-03-01T11:00:00Z", data={"x": ADA}),
    click(ADA, "yesterday"),
)
OTHERS = [click(client, f"2024-03-0{day}T10:00:00Z") for client in ("bob", "", "eve") for day in (1, 2, 3)]
EVENTS = st.sampled_from(
    [HERS, *(click(ADA, f"2024-03-0{day}T10:00:00Z") for day in (2, 3)), *OTHERS, NAMES_HER, REJECTED]
)
FILES = st.lists(st.lists(EVENTS, min_size=1, max_size=6), min_size=1, max_size=4)


def as_left(session: Session) -> Contents:
    """The tables without what tells batches apart, since a batch without a person is another."""
    session.ensure(SOURCES[CLICKSTREAM].contract, *LEDGER_TABLES)
    found = contents(session)
    ids = {row[0]: f"{row[2]}" for row in found["ops.pipeline_logs"]}
    del found["ops.set_aside"]
    found["ops.batch_days"] = [row for row in found["ops.batch_days"] if row[3:] != (0, 0, 0)]
    return {
        name: sorted((tuple(ids.get(str(cell), cell) for cell in row) for row in rows), key=repr)
        for name, rows in found.items()
        if rows
    }


@settings(
    max_examples=max(4, settings().max_examples // 8), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@example([[HERS, *OTHERS[:4]], [HERS, NAMES_HER, OTHERS[0]], [REJECTED, *OTHERS[3:]], [HERS]])
@given(FILES)
def test_erased_is_as_if_the_files_had_come_without_the_person(
    tmp_path_factory: pytest.TempPathFactory, files: Sequence[Sequence[Row]]
) -> None:
    folder = tmp_path_factory.mktemp("platform")
    platform, other = open_platform(folder / "one"), open_platform(folder / "other")
    for each, wanted in ((platform, lambda row: True), (other, lambda row: ADA not in str(row))):
        with each.session() as session:
            for number, rows in enumerate(files):
                # Another column: files with the same rows are different content.
                text = to_csv([{**row, f"file_{number}": ""} for row in rows])
                header, *lines = text.splitlines(keepends=True)
                kept = [line for row, line in zip(rows, lines, strict=True) if wanted(row)]
                each.landing.joinpath(f"{number}.csv").write_text(header + "".join(kept), "utf-8", newline="")
                load_landed(each, session)
            if each is platform:
                erase_person(platform, session, client=[ADA])
            left_over = as_left(session)
        if each is platform:
            expected = left_over
    assert left_over == expected
