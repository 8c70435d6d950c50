"""No sentence of the report contradicts the tables, in situations that are made up."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.errors import count
from analytics_platform.reports import data_quality
from analytics_platform.reports import sentences as say
from analytics_platform.reports.findings import read_facts, reservations
from analytics_platform.reports.wording import money, percent, whole
from analytics_platform.warehouse import DuckDBSession
from analytics_platform_tests.kit import memory_warehouse
from analytics_platform_tests.reports.examples import AS_OF, LIMIT, NOV_1, add

TABLES = "marts.daily_trends marts.data_quality_daily marts.funnel_daily marts.attribution ops.pipeline_logs"
RANKED = "marts.device_daily marts.daily_trends marts.product_daily marts.product_performance marts.list_performance "
RANKED += "marts.user_metrics"
DAYS = 14
WEEKS = ("date < DATE '2026-11-08'", "date >= DATE '2026-11-08'")
READ = "(rows_accepted + rows_duplicate + rows_quarantined)"
week = st.fixed_dictionaries(
    {
        "sessions": st.integers(1, 300),
        "revenue": st.integers(0, 5000),
        "is_unknown": st.booleans(),
        "sells": st.booleans(),
        "lost_refunds": st.integers(0, 2),
        "rejected": st.sampled_from([0, 1, 2, 15, 60]),
        "empty": st.sampled_from(["", "referrer", "referrer, items", "user_agent", "view_item events"]),
        "is_silent": st.booleans(),
        "funnel": st.lists(st.booleans(), min_size=4, max_size=4),
        "channels": st.lists(st.integers(0, 900), min_size=3, max_size=3),
    }
)


@pytest.fixture(scope="module")
def session() -> Iterator[DuckDBSession]:
    with memory_warehouse() as made:
        yield made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=week, after=week)
def test_no_sentence_contradicts_the_tables(
    session: DuckDBSession, before: dict[str, object], after: dict[str, object]
) -> None:
    for table in TABLES.split():
        session.execute(f"DELETE FROM {table}")
    add(session, "ops.pipeline_logs", source="clickstream", max_event_date=AS_OF.date())
    for place in range(DAYS):
        _add_day(session, NOV_1 + dt.timedelta(place), place, before if place < DAYS // 2 else after)
    facts = read_facts(session, AS_OF, LIMIT)
    trends = say.but(say.trends_sentence(facts.days), reservations(facts)["trends"])
    sums = [
        session.one(f"SELECT sum(sessions), sum(revenue), max(revenue) FROM marts.daily_trends WHERE {days}")
        for days in WEEKS
    ]
    (then, revenue_then, _), (now, revenue_now, best) = sums
    _agrees(trends, "sessions", then, now, whole(int(now)))
    assert (before["sells"] != after["sells"]) == ("visits came and no order on" in trends)
    if any(each["is_unknown"] and each["sells"] for each in (before, after)):
        assert "revenue cannot be compared" in trends
    else:
        _agrees(trends, "revenue", revenue_then, revenue_now, money(Decimal(revenue_now)))
        lost = count(7 * int(str(after["lost_refunds"])), "refund")
        assert bool(after["lost_refunds"]) == (f"(before {lost} of unknown amount)" in trends)
    assert (
        best == 0 or f"with {money(Decimal(best))}" in trends or f"each of these 7 had {money(Decimal(best))}" in trends
    )

    share = f"SELECT sum(rows_quarantined) / sum{READ} FROM marts.data_quality_daily WHERE source = 'web_logs' AND "
    rates = [session.one(share + days)[0] for days in WEEKS]
    differs = None not in rates and abs(rates[1] - rates[0]) >= 0.01
    assert differs == ("of the records of web_logs were rejected" in trends)
    assert not differs or f"{percent(rates[1])} of the records" in trends
    assert (before["is_silent"] != after["is_silent"]) == ("web_logs brought nothing" in trends)
    lacks = ("referrer" in str(before["empty"])) != ("referrer" in str(after["empty"]))
    assert lacks == ("clickstream has no referrer" in trends)
    unseen = {"view_item events" in str(each["empty"]) for each in (before, after)}
    assert (len(unseen) == 2) == ("clickstream has no view_item events" in trends)
    has_bots = {"user_agent" in str(each["empty"]) for each in (before, after)} == {False, True}
    for subject, reserved in reservations(facts).items():
        assert has_bots == any("bots count as people" in said for said in reserved), subject

    credits = facts.frames["attribution"]
    said = say.but(say.attribution_sentence(credits), reservations(facts)["attribution"])
    rows = session.rows(
        "SELECT channel, sum(revenue) FROM marts.attribution WHERE model = 'last_touch' GROUP BY 1 ORDER BY 2 DESC"
    )
    if total := sum(amount for _, amount in rows):
        leaders = [channel for channel, amount in rows if amount == rows[0][1]]
        assert any(f"By last touch {channel} earns" in said for channel in leaders)
        assert f"{percent(float(rows[0][1]) / float(total))}" in said
        assert ("referrer" in f"{before['empty']}{after['empty']}") == ("clickstream has no referrer" in said)

    steps = session.rows(
        "SELECT step, sum(sessions), sum(after_view), sum(inferred) FROM marts.funnel_daily GROUP BY step_index, step "
        "ORDER BY step_index"
    )
    funnel = say.funnel_sentence(facts.frames["funnel"])
    views, bought = int(steps[0][1]), int(steps[3][2])
    assert not views or f"Of {whole(views)} session" in funnel
    assert not views or (f"{whole(bought)} ({percent(bought / views)})" if bought else "none has a purchase") in funnel
    for unsent in [step for step, sessions, _, inferred in steps if not sessions and inferred]:
        assert not views or f"→ {unsent}" not in funnel

    over = session.rows(f"SELECT DISTINCT date FROM marts.data_quality_daily WHERE rows_quarantined > {LIMIT} * {READ}")
    quality = data_quality.quality_sentence(facts.quality, facts.reasons, LIMIT, facts.days_above)
    assert bool(over) == bool(re.search(rf"{len(over)} days? went over", quality))


thing = st.fixed_dictionaries(
    {
        "seen": st.integers(0, 40),
        "bought": st.integers(0, 9),
        "price": st.integers(0, 300),
        "engaged": st.integers(0, 40),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(thing, max_size=6))
def test_no_sentence_on_what_is_best_contradicts_the_tables(
    session: DuckDBSession, things: list[dict[str, int]]
) -> None:
    for table in RANKED.split():
        session.execute(f"DELETE FROM {table}")
    for place, each in enumerate(things):
        _add_thing(session, place, **each)
    frames = read_facts(session, AS_OF, LIMIT).frames

    said = say.devices_sentence(frames["devices"])
    rows = session.rows(
        "SELECT device_type, sessions, sessions * conversion_rate, revenue FROM marts.device_daily WHERE sessions > 0"
    )
    sessions, revenue = (sum(float(row[place]) for row in rows) for place in (1, 3))
    leaders = {
        str(name).capitalize(): (number, paid) for name, number, _, paid in rows if number == max(r[1] for r in rows)
    }
    if rows:
        (leader,) = re.findall(r"^(\w+) brings", said)
        number, paid = leaders[leader]
        assert f"brings {percent(number / sessions)} of the sessions" in said
        assert not revenue or f"{percent(float(paid) / revenue)} of the revenue" in said
    if better := re.findall(r"; (\w+) converts best, ([\d.]+) %", said):
        rates = {name: float(bought) / number for name, number, bought, _ in rows if number >= 0.05 * sessions}
        assert percent(max(rates.values())) == f"{better[0][1]} %" == percent(rates[better[0][0]])

    said = say.products_sentence(frames["products"])
    sold = session.rows("SELECT product_id, orders, revenue FROM marts.product_daily WHERE orders > 0 ORDER BY 3 DESC")
    total = sum(float(amount) for *_, amount in sold)
    assert bool(total) == ("sold best" in said)
    if total:
        best = {f"“{name}”": (orders, amount) for name, orders, amount in sold if amount == sold[0][2]}
        orders, amount = best[said.partition(" sold best")[0]]
        assert f"{money(Decimal(amount))} from {count(orders, 'order')}, {percent(float(amount) / total)}" in said
        assert f"products {money(Decimal(str(total)), exact=True)} +" in said

    said = say.lists_sentence(frames["lists"])
    rated = session.rows("SELECT list_id, engagement_rate FROM marts.list_performance ORDER BY 2 DESC")
    if top := re.findall(r"^“(.+?)” (?:engages most|is the only list): ([\d.]+ %)", said):
        assert top[0][0] in [name for name, rate in rated if rate == rated[0][1]]
        assert top[0][1] == percent(float(rated[0][1]))
    elif equal := re.findall(r"^The (\d+) lists that engage most are equal: ([\d.]+ %)", said):
        assert len([rate for _, rate in rated if rate == rated[0][1]]) >= int(equal[0][0])
        assert equal[0][1] == percent(float(rated[0][1]))
    else:
        assert not any(rate for _, rate in rated)

    said = say.bought_sentence(frames["bought"])
    turned = session.rows(
        "SELECT product_id, purchases, views FROM marts.product_performance WHERE views > 0 "
        "AND views >= (SELECT avg(views) FROM marts.product_performance) ORDER BY purchases / views DESC"
    )
    leads = "(?:turns views into purchases best|is the only product with at least the average of [0-9.,]+ views)"
    if top := re.findall(rf"“(.+?)” {leads}: (.+?) from (.+?),", said):
        best = {
            name: (purchases, views)
            for name, purchases, views in turned
            if purchases / views == turned[0][1] / turned[0][2]
        }
        purchases, views = best[top[0][0]]
        assert top[0][1:] == (count(purchases, "purchase"), count(views, "view"))
    else:
        assert not any(purchases for _, purchases, _ in turned)

    said = say.customers_sentence(frames["customers"])
    active = session.rows("SELECT user_id, interactions FROM marts.user_metrics WHERE interactions > 0 ORDER BY 2 DESC")
    if active:
        names = [user for user, number in active if number == active[0][1]]
        assert any(
            said.startswith(f"{user} is the most active customer with {count(active[0][1], 'interaction')}")
            for user in names
        )
    else:
        assert said.startswith("No customer whom the users API")


def _add_thing(session: DuckDBSession, place: int, seen: int, bought: int, price: int, engaged: int) -> None:
    """Insert a device, a product, a list and a customer with the same numbers."""
    name, orders = f"n{place}", min(bought, seen)
    revenue = Decimal(price * orders)
    sold = {"orders": orders, "revenue": revenue, "net_revenue": revenue}
    rate = orders / seen if seen else 0.0
    add(
        session,
        "marts.device_daily",
        date=NOV_1,
        device_type=name,
        sessions=seen,
        conversion_rate=rate,
        orders=orders,
        revenue=revenue,
    )
    add(session, "marts.daily_trends", date=NOV_1 + dt.timedelta(place), **sold)
    add(session, "marts.product_daily", date=NOV_1, product_id=name, views=seen, quantity=orders, **sold)
    add(
        session,
        "marts.product_performance",
        product_id=name,
        product_name=name,
        views=seen,
        purchases=orders,
        view_to_purchase_rate=rate,
        revenue=revenue,
    )
    add(
        session,
        "marts.list_performance",
        list_id=name,
        list_name=name,
        sessions=seen,
        engagement_rate=min(engaged, seen) / seen if seen else 0.0,
    )
    add(
        session,
        "marts.user_metrics",
        user_id=name,
        name=name,
        interactions=seen,
        orders=0,
        revenue=0,
        last_active_at=AS_OF,
    )


def _agrees(sentence: str, what: str, then: object, now: object, shown: str) -> None:
    """The sentence says of a figure that it rose, fell or stayed, as it did."""
    ((verb,),) = [re.findall(rf"\b{what} (rose|fell|stayed|was level|came)", sentence)]
    change = float(str(now)) - float(str(then))
    if verb in ("rose", "came"):
        assert change > 0
    elif verb == "fell":
        assert change < 0
    else:
        assert abs(change) <= 0.005 * float(str(then))
    assert f"{shown}" in sentence or "fell to nothing" in sentence or change == 0


def _add_day(session: DuckDBSession, date: dt.date, place: int, week: dict[str, object]) -> None:
    """Insert a day of a week into the marts; the clickstream has all its days, web_logs those that are not silent."""
    sessions, revenue = int(str(week["sessions"])), Decimal(str(week["revenue"])) + place % 7
    orders, is_unknown = int(bool(week["sells"])), bool(week["is_unknown"])
    if is_unknown or not orders:
        revenue = Decimal(0)
    sums = {"orders": orders, "revenue": revenue, "net_revenue": revenue, "unknown_amounts": orders * is_unknown}
    sums["unknown_refunds"] = int(str(week["lost_refunds"]))
    add(session, "marts.daily_trends", date=date, sessions=sessions, **sums)
    kinds = {"date": date, "rows_accepted": 100, "rows_quarantined": 0}
    add(session, "marts.data_quality_daily", **kinds, source="clickstream", empty_columns=week["empty"])
    if not week["is_silent"]:
        logs = kinds | {"rows_quarantined": week["rejected"]}
        add(session, "marts.data_quality_daily", **logs, source="web_logs", empty_columns="")
    if place % 7:
        return
    has = list(week["funnel"])  # type: ignore[call-overload]
    for index, step in enumerate(("view", "cart", "checkout", "purchase"), 1):
        counts = {
            "sessions": sessions * has[index - 1],
            "inferred": sessions * (not has[index - 1] and any(has[index:])),
        }
        both = {
            "after_previous": sessions * all(has[max(index - 2, 0) : index]),
            "after_view": sessions * (has[0] and has[index - 1]),
        }
        add(session, "marts.funnel_daily", date=date, step_index=index, step=step, **counts, **both)
    for model in ("first_touch", "last_touch", "last_non_direct"):
        for channel, amount in zip(("Direct", "Email", "Display"), list(week["channels"]), strict=True):  # type: ignore[call-overload]
            found = {"date": date, "model": model, "channel": channel, "source": "x"}
            add(session, "marts.attribution", **found, orders=1, revenue=Decimal(amount))
