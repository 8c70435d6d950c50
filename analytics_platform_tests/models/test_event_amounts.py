"""What amount, currency and product are read out of a clickstream row, whatever its fields are called."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from analytics_platform.warehouse.watchdog import unread_fields
from analytics_platform_tests.kit import built_platform, click
from analytics_platform_tests.models.exported import AT, CLEANED, clicks_of, events_of, items_of, purchases_of


def test_a_total_is_an_amount_where_something_is_sold(tmp_path: Path) -> None:
    cases = [("purchase", "30 USD"), ("search", "12 results")]
    rows = events_of(tmp_path, *({"name": name, "data": {"total": total}} for name, total in cases))
    assert [(row["amount"], row["currency"]) for row in rows] == [(Decimal(30), "USD"), (None, None)]


def test_an_order_or_a_refund_whose_amount_cannot_be_read_is_rejected_by_its_name(tmp_path: Path) -> None:
    names = ("amount", "total_price", "order_total", "$value", "total", "value")
    orders = [("purchase", {name: "free"}, name) for name in names]
    orders += [("Order Completed", {"revenue": "n/a", "value": "", "Grand Total": "1.2.3", "amount": 3}, None)]
    orders += [("checkout_completed", {"total_price": "free", "amount": None, "order_value": 3}, "total_price")]
    names = ("refund_value", "refund_amount", "amount_refunded", "amount")
    refunds = [("refund", {name: "abc"}, name) for name in names]
    refunds += [("Order Refunded", {"refundAmount": "abc", "value": 100}, "refund_amount")]
    refunds += [("refund", {"refunded_amount": "abc"}, "refunded_amount")]
    kept: list[tuple[str, dict[str, object], str | None]] = [
        ("refund", {"refund_value": 3, "value": 100, "amount": "two"}, None),
        ("refund", {"refund_value": "(not set)", "revenue": 3, "amount": "two"}, None),
        ("purchase", {"revenue": 3, "refund_value": "abc", "total": "12 pieces"}, None),
        ("search", {"amount": "a lot", "total": "12 results", "refund_value": "abc", "value": "shoes"}, None),
        ("purchase", {"revenue": 3, "value": [1]}, None),
    ]
    cases = [*orders, *refunds, *kept]
    with built_platform(
        tmp_path, clicks_of([{"name": name, "data": data} for name, data, _ in cases]), CLEANED
    ) as session:
        found = dict(session.rows("SELECT position, error_reason FROM ops.quarantine"))
        amounts = session.rows("SELECT amount FROM cleaned.events WHERE event_name IN ('purchase', 'refund')")
    said = {place: f"event_data: {name} is no amount" for place, (_, _, name) in enumerate(cases, min(found)) if name}
    assert found == said
    assert amounts == [(Decimal(3),)] * 5


def test_the_currency_of_an_order_is_read_as_it_is_spelled(tmp_path: Path) -> None:
    names = ("currency", "currencyCode", "currency_code", "$currency", "Order Currency", "transactionCurrency")
    cases: list[dict[str, object]] = [{"value": 5, name: "USD"} for name in names]
    others: list[dict[str, object]] = [
        {"value": "5 GBP", "currency_code": "USD"},
        {"value": 5, "currency": "EUR", "currency_code": "USD"},
        {"value": "5 GBP", "currency_code": "(not set)"},
    ]
    rows = purchases_of((*cases, *others))
    with built_platform(tmp_path, rows, CLEANED) as session:
        found = session.frame("SELECT currency FROM cleaned.events ORDER BY client_id")["currency"].to_list()
        assert found == ["USD"] * len(cases) + ["USD", "EUR", "GBP"]
        assert unread_fields(session) == []


def test_the_amount_of_an_order_and_of_a_refund_is_read_as_it_is_spelled(tmp_path: Path) -> None:
    orders: list[dict[str, object]] = [{name: "9.50 EUR"} for name in ("orderTotal", "amount", "total_price", "$value")]
    orders += [{name: "9.50 EUR"} for name in ("order amount", "Grand Total", "$revenue")]
    orders += [{"order": {"id": "T", name: 9.5, "currency": "EUR"}} for name in ("total", "total_price")]
    refunds: list[dict[str, object]] = [
        {"value": 100, "currency": "EUR", name: "9.50"} for name in ("refund_value", "refundAmount", "amount_refunded")
    ]
    cases = [{"name": "purchase", "data": data} for data in orders]
    cases += [{"name": "Order Refunded", "data": data} for data in [*orders, *refunds]]
    refunds += [{"value": 100, "refundedAmount": "9.50 EUR"}]
    others = [{"name": "search", "data": {"amount": 12}}, {"name": "purchase", "data": {"value": 3, "refund_value": 1}}]
    found = [(event["amount"], event["currency"]) for event in events_of(tmp_path, *cases, *others)]
    assert found == [(Decimal("9.50"), "EUR")] * len(cases) + [(None, None), (Decimal(3), None)]


def test_a_field_that_says_nothing_hides_none_that_does(tmp_path: Path) -> None:
    one = {"product_id": "A", "price": 12.5}
    inner = {"order_id": "T", "value": 12.5, "currency": "USD", "products": [one]}
    outer: list[dict[str, object]] = [{name: None} for name in ("currency", "value", "order_id", "items")]
    outer += [{"currency": "", "value": "undefined", "items": [], "order_id": "(not set)"}]
    forms = [{**each, body: inner} for each in outer for body in ("ecommerce", "properties", "order")]
    forms += [{"properties": form} for form in forms if "properties" not in form] + [
        {**inner, "items": items} for items in ([], None, "", {})
    ]
    forms += [{"Order": {"ID": "T", "Value": 12.5, "Currency": "USD"}, "products": [one]}]
    with built_platform(tmp_path, purchases_of(forms), CLEANED) as session:
        found = session.rows(
            "SELECT client_id, transaction_id, events.amount, events.currency, product_id "
            "FROM cleaned.events AS events LEFT JOIN cleaned.event_items USING (event_id) ORDER BY client_id"
        )
    for form, (_, *read) in zip(forms, found, strict=True):
        assert read == ["T", Decimal("12.5"), "USD", "A"], form


def test_how_many_of_the_one_product_and_its_price_may_stand_beside_it(tmp_path: Path) -> None:
    cases: list[dict[str, object]] = [
        {"product": {"id": "A", "price": 3}, "quantity": 2},
        {"item": {"sku": "A", "price": 3, "quantity": 2}, "quantity": 9},
        {"product": {"product_id": "A"}, "price": 3, "qty": 2},
        {"item": {"id": "A", "unit_price": 3}, "pieces": 2},
        {"product": {"id": "A", "unit_price": 3, "qty": 2}, "quantity": 5, "price": 20},
        {"product": {"id": "A", "item_price": 3, "quantity": 2}, "price": "auf Anfrage", "qty": "many"},
        {"products": [], "product": {"id": "A"}, "price": "3 €", "quantity": 2},
        {"products": "[]", "product_id": "A", "price": 3, "pieces": 2},
        {"product": {}, "item": {"sku": ""}, "item_id": "A", "price": 3, "qty": 2},
    ]
    for (item,) in items_of(tmp_path, *cases):
        assert (item["product_id"], item["price"], item["quantity"]) == ("A", Decimal(3), 2)


def test_a_placeholder_for_a_product_is_none(tmp_path: Path) -> None:
    cases: list[dict[str, object]] = [
        {"product_id": "", "items": []},
        {"product_id": None},
        {"product": {"id": ""}},
        {"item_name": "(not set)", "quantity": 1},
        {"product": {}},
    ]
    rows = [click("a", AT, "purchase", data={"transaction_id": n, "value": 9}) for n in range(1, len(cases) + 1)]
    rows += [click("a", AT, "refund", data={"transaction_id": n, **case}) for n, case in enumerate(cases, 1)]
    with built_platform(tmp_path, rows, {"star.fact_refunds"}) as session:
        assert session.rows("SELECT amount FROM star.fact_refunds") == [(9,)] * len(cases)
        assert session.count("cleaned.event_items") == 0


def test_what_is_read_of_orders_alone_is_no_currency_of_other_events(tmp_path: Path) -> None:
    cases = [("form_submit", "42 cm"), ("view_item", "ab 12 €"), ("search", "john"), ("purchase", "12 €")]
    rows = events_of(tmp_path, *({"name": name, "data": {"value": value}} for name, value in cases))
    assert [row["currency"] for row in rows] == [None, None, None, "EUR"]
