"""With the lake in a bucket the platform makes the same tables, waits out an outage, and erases people for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.definitions import build_definitions
from analytics_platform.lake import Batch
from analytics_platform.lake.durable import LakeUnreachableError
from analytics_platform.orchestration.launch import materialize
from analytics_platform.settings import load_settings
from analytics_platform.sources.person import Person
from analytics_platform.warehouse.erase import erase
from analytics_platform.warehouse.erasure import end, open_erasure, search
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream, failure_words
from analytics_platform_tests.kit import Contents, Platform, click, contents, load_landed, load_rows, open_platform
from analytics_platform_tests.lake.s3_kit import Bucket, serve_faults
from analytics_platform_tests.sources.test_person import ADA

AWAY = {"lake_url": "s3://shop/lake", "aws_endpoint_url_s3": "http://127.0.0.1:9", "aws_max_attempts": 1}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def open_on_s3(folder: Path, bucket: Bucket, endpoint: str = "") -> Platform:
    return open_platform(folder, lake_url=bucket.url, aws_endpoint_url_s3=endpoint or bucket.endpoint)


@pytest.mark.parametrize(
    "select", ['key:"raw/clickstream"+1', pytest.param('+key:"marts/daily_trends"', marks=pytest.mark.slow)]
)
def test_a_run_makes_the_same_tables_as_with_the_lake_in_a_folder(tmp_path: Path, bucket: Bucket, select: str) -> None:
    places = {"folder": {}, "s3": {"lake_url": bucket.url, "aws_endpoint_url_s3": bucket.endpoint}}
    made: list[Contents] = []
    for name, settings in places.items():
        platform = DagsterPlatform(tmp_path / name, **settings)
        platform.drop("a.csv", clickstream(300, without_client=3))
        platform.drop("b.csv", clickstream(200, day="2026-03-02", name="d"))
        assert platform.materialize("2026-03-01", "2026-03-02", select).success
        with open_platform(tmp_path / name, **settings).session(read_only=True) as session:
            made.append(contents(session))
    assert made[0] == made[1] and len(made[1]["cleaned.clickstream"]) == 497
    stored = [name.rpartition(".")[2] for name in sorted(bucket.keys())]
    assert not (tmp_path / "s3" / "lake").exists() and (stored.count("csv"), stored.count("json")) == (2, 2)


def test_a_run_without_the_bucket_fails_with_a_sentence(tmp_path: Path) -> None:
    result = DagsterPlatform(tmp_path, **AWAY).materialize("2026-03-01", "2026-03-01", 'key:"raw/clickstream"')
    assert "The bucket shop of LAKE_URL cannot be reached at http://127.0.0.1:9: check" in failure_words(result)


def test_a_command_says_that_the_bucket_is_away_before_a_run_starts(tmp_path: Path) -> None:
    settings = load_settings(**AWAY, data_dir=tmp_path)
    with pytest.raises(LakeUnreachableError, match="The bucket shop of LAKE_URL cannot be reached at"):
        materialize(build_definitions(settings), settings, "*", "2026-03-01", False)
    assert not list(tmp_path.rglob("*"))


def test_an_outage_sets_no_batch_aside_and_the_next_run_loads_it(tmp_path: Path, bucket: Bucket) -> None:
    outage = [False]

    def fault(method: str, path: str) -> int | None:
        return 503 if outage[0] and path.partition("?")[0].endswith(".csv") and method in ("GET", "HEAD") else None

    with serve_faults(bucket.endpoint, fault) as endpoint:
        platform = open_on_s3(tmp_path, bucket, endpoint)
        with platform.session() as session:
            outage[0] = True
            with pytest.raises(LakeUnreachableError, match="takes no more requests for now"):
                load_rows(platform, session, [click("ada", "2026-03-01T10:00:00Z")])
            outage[0] = False
            (loaded,) = load_landed(platform, session)
            assert loaded.rows_accepted == 1 and not session.count("ops.set_aside")


def test_an_erasure_that_was_killed_goes_on_and_leaves_no_version_with_the_person(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = open_on_s3(tmp_path, bucket)
    with platform.session() as session:
        rows = [click(client, "2026-03-01T10:00:00Z") for client in (ADA, "berta-1")]
        load_rows(platform, session, rows, f"of {ADA}.csv")
        person = Person.of(client=[ADA])

        def kill(batch: Batch, replaced_by: Batch) -> None:
            platform.lake.delete(f"{batch.source}/{batch.path.name}")
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(platform.lake, "forget", kill)
            erase(session, platform.settings, platform.lake, open_erasure(platform.lake, person), "me", print)
        again = open_on_s3(tmp_path, bucket).lake
        erasure = open_erasure(again, Person())  # whom it concerns is in the bucket
        assert not erase(session, platform.settings, again, erasure, "me", print)
        assert not sum(place.found for place in search(session, platform.settings, again, erasure))
        end(again)
        assert session.rows("SELECT client_id FROM cleaned.clickstream") == [("berta-1",)]
    assert not [content for content in bucket.versions() if ADA.encode() in content]
