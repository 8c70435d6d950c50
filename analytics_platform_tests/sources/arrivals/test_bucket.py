"""Files in a bucket arrive as those in a folder do: each content once, what is bad named in a sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.lake.durable import LakeUnreachableError
from analytics_platform.orchestration.sensors import files_sensor
from analytics_platform.settings import SettingsError, load_settings
from analytics_platform.sources.arrivals.files import find_unread, find_unreadable, land_files, new_files
from analytics_platform.sources.person import Person
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse.erase import erase
from analytics_platform.warehouse.erasure import open_erasure, search
from analytics_platform_tests.kit import Platform, click, load_landed, open_platform, to_csv
from analytics_platform_tests.lake.s3_kit import REGION, Bucket, serve_faults
from analytics_platform_tests.names import CLICKSTREAM

ROWS = to_csv([click(f"c{number}", f"2026-03-01T10:{number:02}:00+00:00") for number in range(30)]).encode()
MORE = ROWS.replace(b"c0", b"new")
SOURCE = SOURCES[CLICKSTREAM]


@pytest.fixture
def platform(tmp_path: Path, bucket: Bucket) -> Platform:
    return open_on(tmp_path, bucket)


def open_on(folder: Path, bucket: Bucket, endpoint: str = "") -> Platform:
    place = {"landing_url": bucket.url, "aws_endpoint_url_s3": endpoint or bucket.endpoint}
    return open_platform(folder, **place, aws_default_region=REGION)


def land(platform: Platform) -> list[str]:
    """The names of what is landed now."""
    return [batch.name for batch in land_files(SOURCE, platform.settings, platform.lake).batches]


def test_files_of_the_bucket_are_loaded_and_known_afterwards(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    bucket.put("clickstream/2026/03/b.csv.gz", gzip.compress(MORE))
    bucket.put("clickstream/2026/", b"")  # a folder, as the console makes it
    with platform.session() as session:
        assert [(each.rows_accepted, each.rows_duplicate) for each in load_landed(platform, session)] == [
            (30, 0),
            (1, 29),
        ]
    assert {batch.name for batch in platform.lake.batches(CLICKSTREAM)} == {"a.csv", "2026/03/b.csv.gz"}
    assert new_files(SOURCE, platform.settings, platform.lake) == []
    assert find_unreadable(SOURCE, platform.settings, platform.lake) == {}


def test_what_did_not_change_is_not_fetched_again(tmp_path: Path, bucket: Bucket) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    asked = list[str]()

    def note(method: str, path: str) -> int | None:
        asked.append(f"{method} {'list' if 'list-type' in path else 'object'}")
        return None

    with serve_faults(bucket.endpoint, note) as endpoint:
        platform = open_on(tmp_path, bucket, endpoint)
        for _ in range(3):
            assert land(platform) == ["a.csv"]
    assert asked.count("GET list") == 3 and asked.count("GET object") == 1 and len(asked) <= 6


def test_a_copy_that_is_lost_is_made_again(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    land(platform)
    platform.settings.landing_dir.joinpath("clickstream", "a.csv").unlink()
    assert land(platform) == ["a.csv"] and new_files(SOURCE, platform.settings, platform.lake) == []


def test_another_content_of_the_same_size_and_second_is_another_batch(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/a.csv", ROWS.replace(b"c0", b"x0"))
    land(platform)
    bucket.put("clickstream/a.csv", ROWS.replace(b"c0", b"y0"))
    land(platform)
    assert len(platform.lake.batches(CLICKSTREAM)) == 2


def test_a_bad_file_is_named_with_its_address_until_it_is_taken_away(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/good.csv", ROWS)
    bucket.put("clickstream/bad.csv", b"a,b\n1,2\n")
    bucket.put("clickstream/notes.docx", b"PK")
    bucket.put("clickstream/late.csv.part", ROWS[:50])
    assert land(platform) == ["good.csv"]
    sensor = files_sensor(SOURCE, platform.settings, platform.lake)
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        found = sensor.evaluate_tick(context)
        assert len(found.run_requests or ()) == 1  # `bad.csv` is tried once
        with dg.build_sensor_context(instance, cursor=found.cursor) as again:
            words = sensor.evaluate_tick(again).skip_message or ""
    assert words.count(f"Rejected: {bucket.url}/clickstream/bad.csv: ") == 1
    unread = find_unread(SOURCE, SOURCES.values(), platform.settings)
    assert [sentence.partition(": it")[0] for sentence in unread if "late" in sentence] == [
        f"Not read: {bucket.url}/clickstream/late.csv.part"
    ]
    assert any(sentence.startswith(f"Not read: {bucket.url}/clickstream/notes.docx: ") for sentence in unread)
    for name in ("bad.csv", "notes.docx", "late.csv.part"):
        bucket.delete(f"clickstream/{name}")
    assert find_unreadable(SOURCE, platform.settings, platform.lake) == {}
    assert find_unread(SOURCE, SOURCES.values(), platform.settings) == []


def test_a_key_that_is_no_path_leaves_nothing_outside_and_holds_up_no_other(
    platform: Platform, bucket: Bucket, tmp_path: Path
) -> None:
    for key in ("../../escaped.csv", "a//b.csv", "./c.csv", f"{'x' * 300}.csv"):
        bucket.put(f"clickstream/{key}", ROWS)
    bucket.put("clickstream/good.csv", ROWS)
    assert land(platform) == ["good.csv"]
    rejected = find_unreadable(SOURCE, platform.settings, platform.lake)
    assert set(rejected) == {"../../escaped.csv", "a//b.csv", "./c.csv", f"{'x' * 300}.csv"}
    assert all("its key cannot be the path of a file" in reason for reason in rejected.values())
    assert not list(tmp_path.rglob("escaped*"))


def test_an_object_named_as_a_folder_of_others_is_named(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/day", ROWS)
    bucket.put("clickstream/day/a.csv", ROWS)
    land(platform)
    (reason,) = find_unreadable(SOURCE, platform.settings, platform.lake).values()
    assert "rename one of them" in reason
    bucket.delete("clickstream/day")
    assert land(platform) == ["day/a.csv"]
    bucket.delete("clickstream/day/a.csv")
    bucket.put("clickstream/day", ROWS)
    assert find_unreadable(SOURCE, platform.settings, platform.lake) == {}


def test_an_object_that_s3_denies_is_named_and_the_others_arrive(tmp_path: Path, bucket: Bucket) -> None:
    bucket.put("clickstream/closed.csv", ROWS)
    bucket.put("clickstream/open.csv", MORE)

    def fault(method: str, path: str) -> int | None:
        return 403 if path.partition("?")[0].endswith("closed.csv") else None

    with serve_faults(bucket.endpoint, fault) as endpoint:
        platform = open_on(tmp_path, bucket, endpoint)
        assert land(platform) == ["open.csv"]
        rejected = find_unreadable(SOURCE, platform.settings, platform.lake)
    assert list(rejected) == ["closed.csv"] and "S3 does not give it" in rejected["closed.csv"]


def test_a_bucket_that_is_away_is_one_sentence_and_no_empty_folder(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket.put("clickstream/a.csv", ROWS)
    land(open_on(tmp_path, bucket))
    platform = open_on(tmp_path, bucket, "http://127.0.0.1:9")
    with pytest.raises(LakeUnreachableError, match="The bucket shop of LANDING_URL cannot be reached at"):
        land(platform)
    assert (platform.settings.landing_dir / "clickstream" / "a.csv").exists()


def test_an_erasure_names_the_objects_that_are_to_be_deleted(platform: Platform, bucket: Bucket) -> None:
    bucket.put("clickstream/a.csv", ROWS)
    with platform.session() as session:
        load_landed(platform, session)
        erasure = open_erasure(platform.lake, Person.of(client=["c7"]))
        erase(session, platform.settings, platform.lake, erasure, "test", print)
        places = {place.name: place for place in search(session, platform.settings, platform.lake, erasure)}
        assert places["lake: clickstream"].found == 0
        (remedy,) = places["landing folder: clickstream"].remedies
        assert f"delete {bucket.url}/clickstream/a.csv and " in remedy
        assert load_landed(platform, session) == []  # the content is known, and stays away
    bucket.delete("clickstream/a.csv")
    with platform.session() as session:
        assert all(not place.found for place in search(session, platform.settings, platform.lake, erasure))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"landing_url": "https://shop/landing"}, "not a place in a bucket, write s3://bucket/prefix"),
        ({"landing_url": "s3://shop", "lake_url": "s3://shop/lake"}, "choose another prefix"),
        ({"landing_url": "s3://shop/lake/in", "lake_url": "s3://shop/lake/"}, "choose another prefix"),
        ({"landing_url": "s3://shop/in", "landing_dir": "/srv/landing"}, "set only one of them"),
    ],
)
def test_a_place_where_files_cannot_arrive_is_refused(given: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(data_dir=tmp_path, **given)
    assert load_settings(data_dir=tmp_path, landing_url="s3://shop/lake2", lake_url="s3://shop/lake").landing_url
