"""What the gate promises of an API's answer: every user is accepted or rejected, with every broken rule."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.missing import known
from analytics_platform.gate import Origin, Verdict, reasons_of, validate
from analytics_platform.sources.users.records import REASONS, read_users

CONTRACT = CONTRACTS["cleaned.user_versions"]
ORIGIN = Origin("b1", dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC), dt.datetime(2010, 1, 1, tzinfo=dt.UTC))


def user(**fields: object) -> str:
    return json.dumps({"id": 6, "name": "Mrs. Dennis Schulist", "email": " Karley_Dach@Jasper.info "} | fields)


def verdict(records: Sequence[str]) -> Verdict:
    found = list(validate(read_users(records), CONTRACT, ORIGIN))
    frames = (pl.concat([getattr(part, name) for part in found]) for name in ("accepted", "rejected"))
    return Verdict(*frames, found[-1].drift)


def rejections(found: Verdict) -> list[tuple[int, str, str]]:
    return found.rejected.select("position", "raw", "error_reason").rows()


def test_a_user_becomes_a_row_of_the_day_the_answer_arrived() -> None:
    place = {"city": "South Christy", "geo": {"lat": "-71.4197", "lng": 71}}
    row = verdict([user(address=place, company=None, tier="gold")]).accepted.row(0, named=True)

    assert {name: value for name, value in row.items() if value is not None} == {
        "user_id": "6",
        "name": "Mrs. Dennis Schulist",
        "honorific": "Mrs.",
        "first_name": "Dennis",
        "last_name": "Schulist",
        "email": "karley_dach@jasper.info",
        "city": "South Christy",
        "latitude": -71.4197,
        "longitude": 71.0,
        "extra": '{"tier":"gold"}',
        "event_date": dt.date(2026, 10, 5),
        "arrived_at": ORIGIN.arrived_at,
        "batch_id": "b1",
        "position": 1,
    }


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"name": "Ada"}', "id: missing"),
        (user(id=None), "id: missing"),
        (user(id=1.5), "id: not a text or whole number"),
        (user(id=True), "id: not a text or whole number"),
        (user(email="no address"), "email: malformed"),
        (user(address={"geo": {"lat": "north"}}), "address.geo.lat: not a number"),
        (user(address="Kulas Light"), "address: not an object"),
        ('{"id": 1', "record: not JSON"),
        ("[1]", "record: not an object"),
    ],
)
def test_a_user_that_breaks_a_rule_is_rejected_whole_with_its_text(raw: str, reason: str) -> None:
    assert rejections(verdict([user(), raw])) == [(2, raw, reason)]


@pytest.mark.parametrize("geo", [{"lat": "90.5", "lng": 8}, {"lat": 91, "lng": "-181"}, {"lat": "1e999", "lng": None}])
def test_coordinates_beyond_the_globe_are_missing_with_a_warning(geo: dict[str, object]) -> None:
    found = verdict([user(address={"city": "Ulm", "geo": geo}), user(id=2, address={"geo": {"lat": 90, "lng": -180}})])
    assert found.rejected.is_empty()
    assert found.accepted.select("latitude", "longitude", "city").rows() == [(None, None, "Ulm"), (90.0, -180.0, None)]
    assert "address.geo is no place on the globe, left out 1 times" in found.drift


@pytest.mark.parametrize("email", [None, "", "  ", "-", "unknown", "Not available", "noemail", "no-email"])
def test_an_address_may_be_missing(email: str | None) -> None:
    assert verdict([user(email=email)]).accepted["email"].to_list() == [None]


def as_read(value: object) -> str | None:
    return known(value if isinstance(value, str) else str(value).removesuffix(".0"))


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
RECORDS = st.one_of(
    st.text(max_size=20),
    st.builds(
        user,
        id=st.integers(1, 9) | SCALARS,
        name=st.text(max_size=12) | SCALARS,
        email=st.sampled_from(["a@b.de", "a@b", "@"]) | SCALARS,
        address=SCALARS | st.fixed_dictionaries({"geo": st.fixed_dictionaries({"lat": SCALARS, "lng": SCALARS})}),
        more=SCALARS,
    ),
)


@settings(max_examples=40)
@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_every_user_is_accepted_or_rejected_exactly_once(records: list[str]) -> None:
    found = verdict(records)

    assert sorted([*found.accepted["position"], *found.rejected["position"]]) == list(range(1, len(records) + 1))
    announced = {*reasons_of(CONTRACT), *REASONS}
    for _, _, reason in rejections(found):
        assert set(reason.split("; ")) <= announced
    for row in found.accepted.iter_rows(named=True):
        said = json.loads(records[row["position"] - 1])
        assert row["user_id"] == as_read(said["id"])
        assert row["name"] == (None if said["name"] is None else as_read(said["name"]))
