"""The web shop's logs and the users answers keep their promises."""

import json
from datetime import timedelta

from bson import json_util
from bson.codec_options import DatetimeConversion

from analytics_platform.demo.simulator import read_documents
from analytics_platform_tests.demo.simulator.conftest import START, Traffic

CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS
)


def test_documents_are_canonical_extended_json(traffic: Traffic) -> None:
    for path in traffic.folder.glob("**/web_logs/*"):
        for text in read_documents(path):
            written = json_util.dumps(json_util.loads(text, json_options=CANONICAL), json_options=CANONICAL)
            assert json.loads(written) == json.loads(text)


def test_no_two_different_documents_share_an_id(traffic: Traffic) -> None:
    texts = {text for path in traffic.folder.glob("**/web_logs/*") for text in read_documents(path)}
    assert len({json.loads(text)["_id"]["$oid"] for text in texts}) == len(texts)


def test_the_late_file_repeats_a_few_documents(traffic: Traffic) -> None:
    before, total = traffic.before_late.logs, traffic.total.logs
    early = {log.text for log in before}
    assert len(early) == len(before)
    repeated = sum(log.text in early for log in total[len(before) :])
    assert 3 < repeated < len(total) - len(before)


def test_each_daily_file_holds_documents_of_its_day(traffic: Traffic) -> None:
    files = sorted((traffic.folder / "web_logs").iterdir())
    days = {(START + timedelta(days=number)).isoformat() for number in range(8)}
    assert [path.name for path in files] == [f"{day}.jsonl" for day in sorted(days)]
    assert {log.at.date().isoformat() for log in traffic.before_late.logs if not log.reason} <= days


def test_names_come_with_honorifics_and_suffixes_and_values_are_missing(traffic: Traffic) -> None:
    entries = traffic.before_late.customers.values()
    assert any(entry["name"].split()[0].endswith(".") for entry in entries)
    assert any(len(entry["name"].split()) > 2 and not entry["name"].split()[0].endswith(".") for entry in entries)
    assert any("company" not in entry for entry in entries)
    assert any(entry["phone"] is None for entry in entries)
    assert any(entry["website"] == "" for entry in entries)
    assert any(entry["address"]["geo"] is None for entry in entries)
