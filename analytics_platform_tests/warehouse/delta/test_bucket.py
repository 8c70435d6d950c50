"""Delta tables in a bucket: equal to those in a file, also when requests fail, are refused or are cut off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.warehouse.delta.place import place_of
from analytics_platform.warehouse.delta.warehouse import DeltaWarehouse
from analytics_platform.warehouse.session import DamageError, WarehouseError
from analytics_platform_tests.connectors.sqs.kit import CREDENTIALS
from analytics_platform_tests.kit import Contents, Platform, build, contents, load_rows, needed, open_platform
from analytics_platform_tests.lake.s3_kit import NAME, REGION, Bucket
from analytics_platform_tests.warehouse.delta.delta_kit import DAYS, FILES


@dataclass(frozen=True)
class Addresses:
    """Where a bucket is reached: as it should be, with one of 20 requests that fail, and with every second one."""

    whole: str
    faulty: str
    bad: str


@pytest.fixture(scope="module")
def addresses() -> Iterator[Addresses]:
    command = [sys.executable, "-m", "analytics_platform_tests.lake.faulty_s3", "0.05", "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stdin
        yield Addresses(*server.stdout.readline().split())
        server.stdin.close()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def on_bucket(folder: Path, address: str, name: str) -> Platform:
    reach = {"aws_endpoint_url_s3": address, "aws_default_region": REGION}
    return open_platform(folder, warehouse_url=f"lake+s3://{NAME}/{name}", **reach)


def made(platform: Platform) -> tuple[Contents, set[str]]:
    """What is in the tables after files were loaded and some tables built, and which tables there are."""
    with platform.session() as opened:
        for number, rows in enumerate(FILES):
            load_rows(platform, opened, rows, f"{number}.csv")
        build(opened, DAYS, platform.settings, needed("sessionized.sessions"))
        return contents(opened), opened.tables() & CONTRACTS.keys()


def test_tables_in_a_bucket_are_equal_too(tmp_path: Path, addresses: Addresses) -> None:
    in_bucket = made(on_bucket(tmp_path / "bucket", addresses.whole, "equal"))
    assert in_bucket == made(open_platform(tmp_path / "file")) and in_bucket[0]["cleaned.clickstream"]


def test_requests_that_fail_are_refused_or_cut_off_change_no_table(tmp_path: Path, addresses: Addresses) -> None:
    in_bucket = made(on_bucket(tmp_path / "bucket", addresses.faulty, "faulty"))
    assert in_bucket == made(open_platform(tmp_path / "file")) and in_bucket[0]["cleaned.clickstream"]


def test_a_bucket_is_asked_again_however_often_it_has_refused(tmp_path: Path, addresses: Addresses) -> None:
    place = place_of(on_bucket(tmp_path, addresses.bad, "again").settings)
    rows = pa.table({"number": [1, 2, 3]})
    sizes = place.write("rows", rows.to_reader())
    for _ in range(200):
        with place.read({f"rows/{name}": size for name, size in sizes.items()}) as read:
            assert read.read_all() == rows


def test_a_bucket_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    platform = open_platform(
        tmp_path, warehouse_url="lake+s3://shop/warehouse", aws_endpoint_url_s3="http://127.0.0.1:9"
    )
    with pytest.raises(WarehouseError, match="The warehouse s3://shop/warehouse cannot be read or written: check"):
        platform.warehouse.exists()


def test_uploads_that_killed_writers_began_are_dropped_and_no_others(tmp_path: Path, addresses: Addresses) -> None:
    client = Bucket(addresses.whole).client
    for key in ("left/_staged/killed/0000.parquet", "leftover/0.parquet"):
        upload = client.create_multipart_upload(Bucket=NAME, Key=key)["UploadId"]
        client.upload_part(Bucket=NAME, Key=key, UploadId=upload, PartNumber=1, Body=b"ada")
    warehouse = on_bucket(tmp_path, addresses.whole, "left").warehouse
    assert isinstance(warehouse, DeltaWarehouse)
    warehouse.place.drop_uploads(0)
    (kept,) = client.list_multipart_uploads(Bucket=NAME)["Uploads"]
    assert kept["Key"] == "leftover/0.parquet"


def test_a_file_that_is_missing_is_named(tmp_path: Path, addresses: Addresses) -> None:
    platform = on_bucket(tmp_path, addresses.whole, "missing")
    with platform.session() as opened:
        load_rows(platform, opened, FILES[0], "0.csv")
    bucket = Bucket(addresses.whole, "missing/cleaned/clickstream")
    names = bucket.keys()
    (file,) = (name for name in names if name.endswith(".parquet"))
    bucket.delete(file)
    words = f"is damaged: cleaned/clickstream/{file} is missing"
    with platform.session() as opened, pytest.raises(DamageError, match=words):
        opened.rows("SELECT client_id FROM cleaned.clickstream")
