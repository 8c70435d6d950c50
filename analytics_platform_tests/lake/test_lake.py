"""What was put into the lake comes out unchanged, or with a sentence that names the file and what to do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.lake import Batch, Lake, LakeError
from analytics_platform.sources.arrivals.parquet import encode_table, read_columns
from analytics_platform_tests.lake.s3_kit import overwrite

LINES = "".join(f"line {number}\n" for number in range(200_000)).encode()


def _read_all(batch: Batch) -> None:
    with batch.open() as stream:
        assert stream.read() == LINES


def _read_parquet(batch: Batch) -> None:
    with batch.open() as stream:
        assert sum(1 for _ in read_columns(stream, "line")) == 50_000


FORMS: dict[str, tuple[Callable[[], bytes], Callable[[Batch], None]]] = {
    ".csv": (lambda: LINES, _read_all),
    ".csv.gz": (lambda: gzip.compress(LINES), _read_all),
    ".csv.zst": (lambda: pa.Codec("zstd").compress(LINES, asbytes=True), _read_all),
    ".parquet": (lambda: encode_table(pa.table({"line": [f"{number}" for number in range(50_000)]})), _read_parquet),
}


@pytest.mark.parametrize("suffix", FORMS)
def test_a_changed_byte_anywhere_is_found_while_the_batch_is_read(lake: Lake, suffix: str) -> None:
    make, read = FORMS[suffix]
    content = make()
    batch = lake.put_bytes("source", "input", suffix, content)
    read(batch)
    for place in (0, len(content) // 3, len(content) - 1):
        overwrite(batch, batch.path.name, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(LakeError, match=f"its file .*{suffix} is damaged, its SHA-256"):
            read(batch)


def test_an_error_that_is_not_due_to_damage_stays_what_it_is(lake: Lake) -> None:
    batch = lake.put_bytes("source", "input", ".csv", LINES)
    with pytest.raises(KeyError), batch.open():
        raise KeyError("column")


@pytest.mark.parametrize(
    "card",
    [
        *("", "{", "[]", "7", json.dumps({"name": "x"}), json.dumps({"name": 1, "file": 2, "size": 3}), "\udcff"),
        *("[" * 100_000, *({"arrived_at": at} for at in ("9999-12-31T23:59:59-14:00", "9026-11-29T19:34:02+00:00", 7))),
        {"name": "\ud800"},
        *({"name": ["a", "b"]}, {"size": float("nan")}, {"size": "3"}, {"replaces": [7]}, {"withdrawal": {"at": 1}}),
    ],
    ids=lambda card: str(card)[:40],
)
def test_a_damaged_metadata_file_hides_no_other_batch_and_is_written_anew_with_its_file(
    lake: Lake, card: str | dict[str, object]
) -> None:
    bad, good = (lake.put_bytes("source", name, ".csv", name.encode()) for name in ("bad", "good"))
    name = f"_{bad.content_sha256}.json"
    if isinstance(card, dict):  # a field is damaged, and all others are as they were
        card = json.dumps({**json.loads(lake.read(f"source/{name}") or ""), **card})
    overwrite(bad, name, card.encode(errors="surrogateescape"))
    listed = {batch.batch_id: batch for batch in lake.batches("source")}
    assert listed[good.batch_id] == good
    with pytest.raises(LakeError, match=f"metadata file .*/{name} cannot be read"), listed[bad.batch_id].open():
        pass
    assert lake.batch_with("source", bad.content_sha256) is None
    assert lake.put_bytes("source", "bad", ".csv", b"bad").batch_id == bad.batch_id
    assert all(not batch.fault for batch in lake.batches("source"))


def test_what_an_erasure_forgets_is_gone_though_it_is_killed_at_that(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lake.put_bytes("source", "input", ".csv", b"with the person")
    new = lake.put_edited(old, lambda out: out.write(b"without"))  # type: ignore[arg-type, return-value]

    def kill(name: str, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lake, "write", kill)
        lake.forget(old, new)
    assert not old.path.exists() and {old, new} == {*lake.batches("source")}  # the erasure finds it, and goes on
    lake.forget(old, new)
    assert lake.batches("source") == [new] and lake.batch_with("source", old.content_sha256) == new


def test_a_damaged_register_is_written_anew(lake: Lake, tmp_path: Path) -> None:
    batch = lake.put_bytes("source", "input", ".csv", b"x")
    file = tmp_path / "input.csv"
    file.write_bytes(b"x")
    for damaged in (b"\xff", b"{", b"[]", b""):
        overwrite(batch, "_landing.register", damaged)
        register = lake.register("source")
        assert register.content_of(file) is None
        register.remember(file, batch.content_sha256, is_settled=True)
        register.save()
        assert lake.register("source").content_of(file) == batch.content_sha256
