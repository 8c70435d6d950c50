"""A bucket keeps the promises of a folder: whole batches, few requests, and one sentence for whatever fails."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from analytics_platform.lake import LakeError, s3
from analytics_platform.lake import bucket as bucket_module
from analytics_platform.lake.durable import LakeUnreachableError
from analytics_platform.lake.s3 import INDEX, S3Lake
from analytics_platform_tests.lake.s3_kit import TRICKLE, Bucket, Fault, overwrite, serve_faults

LARGE = os.urandom(1 << 20) * 9
"""More than is put at once: it goes in parts."""


@pytest.fixture(autouse=True)
def drafts_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests draft at the same time; theirs are not seen here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def faults(bucket: Bucket) -> Iterator[tuple[S3Lake, list[Fault]]]:
    """A lake behind a proxy that does what the last fault says."""
    chosen: list[Fault] = [lambda method, path: None]
    with serve_faults(bucket.endpoint, lambda method, path: chosen[-1](method, path)) as endpoint:
        yield bucket.lake(endpoint), chosen


def test_a_large_file_goes_in_parts_and_comes_out_whole(bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(LARGE)
    batch = bucket.lake().put_file("source", "large.csv", file)
    assert batch and bucket.calls.count("UploadPart") == 2 and bucket.calls[-1] == "PutObject"
    with batch.open() as stream:
        assert stream.read(100) == LARGE[:100] and stream.seek(1 << 20) and stream.read() == LARGE[1 << 20 :]


def test_two_writers_of_the_same_content_make_one_batch(bucket: Bucket) -> None:
    lakes = [bucket.lake(), bucket.lake()]
    with ThreadPoolExecutor(2) as pool:
        for content in (b"%d" % number for number in range(5)):
            one, two = pool.map(lambda lake, content=content: lake.put_bytes("source", "x", ".csv", content), lakes)
            assert one.batch_id == two.batch_id
    assert len(lakes[0].batches("source")) == 5 and not any(batch.damage for batch in lakes[1].batches("source"))


def test_a_second_run_asks_little_however_many_batches_there_are(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "INDEX_AFTER", 20)
    first = bucket.lake()
    for number in range(21):
        sha256 = hashlib.sha256(b"%d" % number).hexdigest()
        bucket.put(f"source/{sha256}.csv", b"%d" % number)
        metadata = {"name": "x", "file": f"{sha256}.csv", "size": len(str(number)), "arrived_at": "2026-03-01T00:00Z"}
        bucket.put(f"source/_{sha256}.json", json.dumps(metadata).encode())
    stored = first.batches("source")
    assert len(stored) == 21
    for lake, expected in ((first, ["ListObjectsV2"]), (bucket.lake(), ["GetObject", "ListObjectsV2"])):
        bucket.calls.clear()
        assert lake.batches("source") == stored and not any(batch.damage for batch in stored)
        assert sorted(bucket.calls) == expected
    bucket.put(f"source/{INDEX}", b"damaged")
    assert bucket.lake().batches("source") == stored


def test_a_content_without_metadata_is_not_there_for_an_hour_and_then_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = bucket.lake()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lake._bucket, "write", _killed)
        lake.put_bytes("source", "killed", ".csv", b"x")
    assert bucket.keys() and lake.batches("source") == []
    monkeypatch.setattr(s3, "UNFINISHED_S", -1)
    (named,) = lake.batches("source")
    assert "is missing: put it back from a backup, or" in named.damage
    assert lake.put_bytes("source", "again", ".csv", b"x").batch_id == named.batch_id
    assert [batch.fault for batch in lake.batches("source")] == [""]


def _killed(key: str, content: bytes) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"short", "has 5 bytes instead of 9")])
def test_an_object_that_is_gone_or_cut_short_is_named_by_the_listing_and_put_again(
    bucket: Bucket, content: bytes | None, words: str
) -> None:
    lake = bucket.lake()
    batch = lake.put_bytes("source", "x", ".csv", b"a content")
    overwrite(batch, batch.path.name, content)
    (listed,) = lake.batches("source")
    assert f"its file {batch.path} {words}" in listed.damage
    with pytest.raises(LakeError, match=words), listed.open():
        pass
    lake.put_bytes("source", "x", ".csv", b"a content")
    assert not lake.batches("source")[0].damage


def test_what_is_erased_is_left_in_no_version_of_any_object(bucket: Bucket) -> None:
    lake = bucket.lake()
    old = lake.put_bytes("source", "ada.csv", ".csv", b"ada,berta")
    lake.put_bytes("source", "ada.csv", ".csv", b"ada,berta")
    lake.write(f"source/{INDEX}", "ada")
    lake.forget(old, lake.put_edited(lake.batches("source")[0], lambda out: out.write(b"berta")))  # type: ignore[arg-type, return-value]
    (batch,) = lake.batches("source")
    lake.describe(replace(batch, name="someone.csv"))
    lake.drop_drafts(3600)
    assert not [content for content in bucket.versions() if b"ada" in content]
    assert bucket.lake().batch_with("source", old.content_sha256) == lake.batches("source")[0]


def test_an_upload_that_a_kill_left_is_named_and_dropped(bucket: Bucket) -> None:
    lake = bucket.lake()
    bucket.client.create_multipart_upload(Bucket="shop", Key=f"{bucket.prefix}/source/x.csv")
    (draft,) = lake.old_drafts(-1)
    assert draft.endswith(f"of s3://shop/{bucket.prefix}/source/x.csv")
    lake.drop_drafts(-1)
    assert lake.old_drafts(-1) == []


@pytest.mark.parametrize("status", [503, 0], ids=["told to slow down", "cut off in the middle"])
def test_a_request_that_fails_once_is_sent_again(faults: tuple[S3Lake, list[Fault]], status: int) -> None:
    lake, chosen = faults
    failed = set[str]()

    def fail_once(method: str, path: str) -> int | None:
        is_first = (request := f"{method} {path}") not in failed
        failed.add(request)
        return status if is_first else None

    chosen.append(fail_once)
    batch = lake.put_bytes("source", "x", ".csv", LARGE)
    with lake.batches("source")[0].open() as stream:
        assert stream.read() == LARGE
    lake.delete(f"source/{batch.path.name}")
    assert lake.batches("source")[0].damage and any("uploadId" in request for request in failed)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, r"takes no more requests for now \(SlowDown\): try again later"),
        (403, "denies .* to these credentials: allow s3:PutObject on it"),
        (0, "cannot be reached at http.*: check the network, AWS_ENDPOINT_URL"),
    ],
)
def test_a_put_that_fails_for_good_leaves_nothing_and_says_why(
    faults: tuple[S3Lake, list[Fault]], bucket: Bucket, status: int, words: str
) -> None:
    lake, chosen = faults
    chosen.append(lambda method, path: status if method == "PUT" else None)
    for content in (b"x", LARGE):
        with pytest.raises(LakeUnreachableError, match=f"^The bucket shop of LAKE_URL .*{words}"):
            lake.put_bytes("source", "x", ".csv", content)
    assert not bucket.keys() and not lake.old_drafts(-1)
    chosen.append(lambda method, path: status)
    with pytest.raises(LakeUnreachableError, match="The bucket shop of LAKE_URL"):
        lake.exists()


def test_a_page_for_maintenance_is_not_an_empty_lake(faults: tuple[S3Lake, list[Fault]]) -> None:
    lake, chosen = faults
    chosen.append(lambda method, path: 200)
    for look in (lake.exists, lambda: lake.batches("source")):
        with pytest.raises(LakeUnreachableError, match="answered for the bucket shop of LAKE_URL is not S3: check"):
            look()


def test_an_answer_that_trickles_ends_every_call_in_time(
    faults: tuple[S3Lake, list[Fault]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "ANSWER_SECONDS", 0.5)
    lake, chosen = faults
    chosen.append(lambda method, path: TRICKLE)
    for call in (
        lake.exists,
        lambda: lake.batches("source"),
        lambda: lake.register("source"),
        lambda: lake.delete("source/x"),
        lambda: lake.old_drafts(-1),
    ):
        with pytest.raises(LakeUnreachableError, match="The bucket shop of LAKE_URL gave no whole answer in time at"):
            call()


def test_a_bucket_that_is_not_there_and_missing_credentials_are_said(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(LakeUnreachableError, match=r"bucket away of LAKE_URL does not exist: create it, or correct"):
        S3Lake("s3://away/lake", bucket.endpoint, session=bucket.lake()._bucket._session).register("source")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(LakeUnreachableError, match="no AWS credentials for the bucket shop of LAKE_URL: set AWS_ACC"):
        S3Lake(bucket.url, bucket.endpoint).exists()
