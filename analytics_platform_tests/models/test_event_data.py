"""What is read out of a clickstream row: names, traffic, orders, items, and everything trackers get wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics_platform.warehouse.watchdog import unread_fields
from analytics_platform_tests.kit import built_platform, click
from analytics_platform_tests.models.exported import AT, CLEANED, clicks_of, events_of, items_of, purchases_of


def test_names_are_ga4s_and_unknown_ones_are_kept_and_flagged(tmp_path: Path) -> None:
    cases = [
        ("page_viewed", "page_view", True),
        ("product_added_to_cart", "add_to_cart", True),
        ("checkout_started", "begin_checkout", True),
        ("checkout_completed", "purchase", True),
        ("email_filled_on_popup", "generate_lead", True),
        ("view_item", "view_item", True),
        ("wiggled_mouse", "wiggled_mouse", False),
        ("Order Cancelled", "Order Cancelled", False),
        ("Order Completed", "purchase", True),
        ("order-completed", "purchase", True),
        ("ORDER_COMPLETED", "purchase", True),
        ("orderCompleted", "purchase", True),
        ("Placed Order", "purchase", True),
        ("Refund", "refund", True),
        ("Order Refunded", "refund", True),
        ("Product Viewed", "view_item", True),
        ("product_viewed", "view_item", True),
        ("Product List Viewed", "view_item_list", True),
        ("collection_viewed", "view_item_list", True),
        ("Product Added", "add_to_cart", True),
        ("AddToCart", "add_to_cart", True),
        ("Checkout Started", "begin_checkout", True),
        ("payment_info_submitted", "add_payment_info", True),
        ("search_submitted", "search", True),
        ("Page View", "page_view", True),
        *((raw, "view_item", True) for raw in ("pdp_view", "detail_view", "view_detail", "productDetail")),
        *((raw, "add_to_cart", True) for raw in ("add_cart", "basket_add")),
        *((raw, "view_item_list", True) for raw in ("list_view", "view_list")),
        *((raw, "purchase", True) for raw in ("checked_out", "paid")),
        ("$pageview", "page_view", True),
        ("video_start", "video_start", True),
    ]
    rows = [{"name": raw} for raw, _, _ in cases]
    cancelled = {"name": "Order Cancelled", "data": {"order_id": "T1", "value": 5}}
    *events, refund = events_of(tmp_path, *rows, cancelled)
    assert [(event["raw_event_name"], event["event_name"], event["is_known_event"]) for event in events] == cases
    assert (refund["event_name"], refund["transaction_id"], refund["amount"]) == ("refund", "T1", Decimal(5))


def test_traffic_is_the_tag_else_the_ad_click_else_a_foreign_referrer(tmp_path: Path) -> None:
    cases = [
        ("https://shop.example/", "", (None, None, None)),
        ("https://shop.example/", "https://www.google.de/", ("google", "organic", None)),
        ("https://shop.example/", "https://blog.other.example/a", ("blog.other.example", "referral", None)),
        ("https://shop.example/", "https://www.shop.example/cart", (None, None, None)),
        ("https://shop.example/", "https://m.shop.example/", (None, None, None)),
        ("https://m.shop.example/", "https://shop.example/", (None, None, None)),
        ("https://shop.example/", "https://workshop.example/", ("workshop.example", "referral", None)),
        ("https://shop.example/?gclid=1", "https://www.google.de/", ("google", "cpc", None)),
        ("https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=may", "", ("news", "email", "may")),
        ("https://shop.example/?utm_campaign=may", "", ("(not set)", "(not set)", "may")),
        ("/relative/path", "https://www.google.de/", ("google", "organic", None)),
        ("https://shop.example/?utm_source=news&utm_medium=email&gclid=1", "", ("google", "cpc", None)),
        ("https://shop.example/?utm_source=news&utm_medium=email&msclkid=1", "", ("bing", "cpc", None)),
        ("https://shop.example/?utm_source=tiktok&ttclid=1", "", ("tiktok", "cpc", None)),
        ("https://shop.example/?utm_source=news&utm_medium=email&ttclid=1", "", ("news", "email", None)),
        ("https://shop.example/?fbclid=1", "", ("facebook", "referral", None)),
        ("https://shop.example/?fbclid=1", "https://l.instagram.com/", ("l.instagram.com", "referral", None)),
        ("https://shop.example/?fbclid=1&utm_source=fb&utm_medium=paid", "", ("fb", "paid", None)),
        ("https://shop.example/?UTM_SOURCE=News&amp;UTM_Medium=Email", "", ("news", "email", None)),
        ("https://checkout.shop.example/", "https://blog.shop.example/", (None, None, None)),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", (None, None, None)),
        ("https://shop.example/", "https://www.paypal.com/return", (None, None, None)),
        ("/relative/path", "https://hooks.stripe.com/", (None, None, None)),
        ("https://one.co.uk/", "https://two.co.uk/", ("two.co.uk", "referral", None)),
        ("https://shop.example/", "https://www.paypal.de/", (None, None, None)),
        ("/relative/path", "https://www.shop.example/", (None, None, None)),
        ("", "https://m.shop.example/cart", (None, None, None)),
        ("", "https://other.example/", ("other.example", "referral", None)),
        ("", "https://www.google.de/", ("google", "organic", None)),
        ("https://google.de/", "", (None, None, None)),  # no page of the shop, whatever the tracker says
        ("https://shop.example/", "https://one.co.uk/", ("one.co.uk", "referral", None)),
    ]
    events = events_of(tmp_path, *({"page_url": page, "referrer": referrer} for page, referrer, _ in cases))
    found = [(event["traffic_source"], event["traffic_medium"], event["traffic_campaign"]) for event in events]
    assert list(zip(cases, found, strict=True)) == [(case, case[2]) for case in cases]


def test_order_number_and_revenue_are_read_or_left_empty(tmp_path: Path) -> None:
    cases: list[tuple[object, str | None, str | None]] = [
        ({"transaction_id": "T1", "revenue": 12.5}, "T1", "12.5"),
        ({"transaction_id": 1001, "revenue": "12.5"}, "1001", "12.5"),
        ({"transaction_id": " T1 ", "value": 7}, "T1", "7"),
        ({"transaction_id": "T1", "revenue": 0}, "T1", "0"),
        ({"transaction_id": "T1", "revenue": -3}, "T1", None),
        ({"transaction_id": "", "revenue": "N/A"}, None, None),
        ({"transaction_id": None, "revenue": None}, None, None),
        ({"revenue": "undefined", "value": 5}, None, "5"),
        ({"transaction_id": "(not set)", "revenue": "$1,299.00"}, None, "1299"),
        ({"transaction_id": "0", "revenue": "NaN"}, None, None),
        ({}, None, None),
        ({"orderId": "T1", "revenue": 1}, "T1", "1"),
        ({"Order ID": 5.0, "revenue": 1}, "5", "1"),
        ({"order-number": "T1", "transactionId": "", "revenue": 1}, "T1", "1"),
        ({"order_id": "O1", "TRANSACTION_ID": "T1", "revenue": 1}, "T1", "1"),
        (json.dumps(json.dumps({"transaction_id": "T1", "revenue": 12.5})), "T1", "12.5"),
        (json.dumps(json.dumps(json.dumps({"orderId": "T1", "revenue": 12.5}))), "T1", "12.5"),
        ("[1, 2]", None, None),
        ('"text"', None, None),
        ("", None, None),
    ]
    events = events_of(tmp_path, *({"name": "checkout_completed", "data": data} for data, _, _ in cases))
    for (data, transaction, revenue), event in zip(cases, events, strict=True):
        assert event["transaction_id"] == transaction, data
        assert event["revenue"] == (Decimal(revenue) if revenue else None), data


def test_order_number_and_revenue_are_read_from_purchases_only(tmp_path: Path) -> None:
    (event,) = events_of(tmp_path, {"name": "add_to_cart", "data": {"transaction_id": "T1", "revenue": 5}})
    assert (event["transaction_id"], event["revenue"]) == (None, None)


def test_items_of_both_dialects_are_read_in_their_order(tmp_path: Path) -> None:
    tracker = {"item_id": "1", "item_name": '8" pan', "item_price": "2.50", "item_variant": "red", "quantity": "2"}
    ga4 = {"item_id": 2, "price": 3, "item_brand": "B", "item_category": "C", "coupon": "X", "index": 4}
    ((first, second),) = items_of(tmp_path, {"items": [tracker, ga4], "item_list_id": "L", "item_list_name": "List"})
    assert (first["item_index"], second["item_index"]) == (0, 1)
    assert (first["product_id"], first["product_name"], first["variant"]) == ("1", '8" pan', "red")
    assert (first["price"], first["quantity"]) == (Decimal("2.5"), 2)
    assert (second["product_id"], second["price"], second["quantity"]) == ("2", Decimal(3), None)
    assert (second["brand"], second["category"], second["coupon"], second["list_index"]) == ("B", "C", "X", 4)
    assert (first["list_id"], first["list_name"]) == ("L", "List")


def test_the_body_of_a_trackers_event_is_read_as_in_messages(tmp_path: Path) -> None:
    product = {"product_id": "1", "name": "Tee", "brand": "B", "price": 2}
    item = {"item_id": "1", "item_name": "Tee", "item_brand": "B", "price": 2}
    order = {"order_id": "T1", "total": 4, "list_id": "L"}
    cases: list[object] = [
        {**order, "products": [product]},
        json.dumps({**order, "products": json.dumps([product])}),
        {"event": "Order Completed", "properties": {**order, "products": [product]}},
        {"ecommerce": {"transaction_id": "T1", "value": 4, "item_list_id": "L", "items": [item]}},
        {**order, **product},
        str({**order, "products": [product]}),
    ]
    rows = purchases_of(cases)
    with built_platform(tmp_path, rows, CLEANED) as session:
        found = session.rows(
            "SELECT transaction_id, events.revenue, product_id, product_name, brand, items.price, items.list_id "
            "FROM cleaned.events AS events JOIN cleaned.event_items AS items USING (event_id)"
        )
    assert found == [("T1", Decimal(4), "1", "Tee", "B", Decimal(2), "L")] * len(cases)


def test_items_may_be_encoded_twice_wherever_json_stands(tmp_path: Path) -> None:
    item: dict[str, object] = {"item_id": "1", "price": 2}
    one = json.dumps([item])
    cases: list[object] = [{"items": one}, {"items": json.dumps(one)}, {"items": [json.dumps(item)]}]
    found = items_of(tmp_path, *cases, json.dumps(json.dumps({"items": one})))
    assert [[(each["product_id"], each["price"]) for each in row] for row in found] == [[("1", Decimal(2))]] * 4


def test_the_device_of_a_session_is_a_bot_only_if_the_session_is(tmp_path: Path) -> None:
    robot, person, phone = (
        "Googlebot/2.1",
        click("", AT)["user_agent"],
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile",
    )
    order = {"name": "purchase", "data": {"transaction_id": "T1", "revenue": 1}}
    visits: list[list[dict[str, Any]]] = [
        [{"user_agent": robot}, {"user_agent": person}],
        [{"user_agent": ""}, {"user_agent": phone}, {"user_agent": person}],
        [{"user_agent": ""}, {"user_agent": robot}],
        [{"user_agent": robot}, {"user_agent": robot} | order],
        [{"user_agent": ""}],
    ]
    rows = [
        click(f"c{place}", f"2024-03-01T10:00:0{n}Z", **columns)
        for place, events in enumerate(visits)
        for n, columns in enumerate(events)
    ]
    with built_platform(tmp_path, rows, {"star.fact_sessions"}) as session:
        found = session.rows(
            "SELECT device_type, os, visits.is_bot FROM star.fact_sessions AS visits "
            "JOIN star.dim_device USING (device_key) ORDER BY visits.client_id"
        )
    assert found == [
        ("desktop", "Windows", False),
        ("mobile", "iOS", False),
        ("bot", "(not set)", True),
        ("unknown", "(not set)", False),
        ("unknown", "(not set)", False),
    ]


def test_what_is_not_a_list_of_items_has_none(tmp_path: Path) -> None:
    cases: list[object] = [None, [], {}, "", "[", "no json", '"[]"', 7, {"0": {"item_id": "1"}}]
    assert items_of(tmp_path, *({"items": items} for items in cases)) == [[]] * len(cases)


def test_an_item_without_fields_is_kept(tmp_path: Path) -> None:
    cases: list[object] = [{}, None, 1, "x", [1], {"item_id": None}, {"item_id": " "}, {"item_id": ""}]
    for item, (row,) in zip(cases, items_of(tmp_path, *({"items": [item]} for item in cases)), strict=True):
        assert (row["item_index"], row["product_id"], row["price"], row["quantity"]) == (0, None, None, None), item


def test_a_text_that_is_not_a_count_gives_no_quantity(tmp_path: Path) -> None:
    cases: list[object] = [1.5, None, "NaN", 9 * 10**9]
    found = items_of(tmp_path, *({"items": [{"item_id": "1", "quantity": quantity}]} for quantity in cases))
    assert [item["quantity"] for (item,) in found] == [None] * len(cases)


def test_the_same_product_twice_is_two_items(tmp_path: Path) -> None:
    (rows,) = items_of(tmp_path, {"items": [{"item_id": "1"}, {"item_id": "1"}]})
    assert [(row["item_index"], row["product_id"]) for row in rows] == [(0, "1"), (1, "1")]


def test_an_event_with_tens_of_thousands_of_items_is_taken_apart(tmp_path: Path) -> None:
    (rows,) = items_of(tmp_path, {"items": [{"item_id": str(n)} for n in range(30_000)]})
    assert [row["product_id"] for row in rows] == [str(n) for n in range(30_000)]


def test_an_event_was_received_when_the_export_says_or_else_when_it_arrived(tmp_path: Path) -> None:
    (event,) = events_of(tmp_path / "said", {"received_at": "2024-03-01T10:00:02Z"})
    assert event["received_at"].isoformat() == "2024-03-01T10:00:02+00:00"
    with built_platform(tmp_path / "unsaid", [click("ada", AT)], CLEANED) as session:
        same = session.rows(
            "SELECT events.received_at = rows.arrived_at"
            " FROM cleaned.events AS events JOIN cleaned.clickstream AS rows USING (event_id)"
        )
    assert same == [(True,)]


def test_names_in_another_case_are_read(tmp_path: Path) -> None:
    items = [{"Item_ID": "A", "Price": 2, "itemName": "Apple"}]
    cases = [
        {"Value": 7, "Currency": "EUR", "Transaction_ID": "T1", "Items": items, "Item_List_Name": "Top"},
        {
            "totalValue": 1,
            "REVENUE": 7,
            "currency": "EUR",
            "transactionId": "T1",
            "items": items,
            "itemListName": "Top",
        },
        {"value": 7, "currency": "EUR", "order id": "T1", "ITEMS": json.dumps(items), "itemlistname": "Top"},
    ]
    for number, data in enumerate(cases):
        folder = tmp_path / str(number)
        (event,) = events_of(folder / "events", {"name": "purchase", "data": data})
        read = [event[name] for name in ("amount", "currency", "transaction_id", "list_name")]
        assert read == [Decimal(7), "EUR", "T1", "Top"], data
        ((item,),) = items_of(folder / "items", data)
        assert (item["product_id"], item["product_name"], item["price"]) == ("A", "Apple", Decimal(2))


def test_fields_of_items_are_read_as_they_are_spelled(tmp_path: Path) -> None:
    pieces = ("quantity", "qty", "itemQuantity", "QTY", "item_quantity", "pieces", "count")
    spelled = [
        *({"item_id": "A", "item_name": "Apple", "price": 2, name: 3} for name in pieces),
        {"id": "A", "name": "Apple", "price": 2, "quantity": 3},
        {"product_id": "A", "product_name": "Apple", "unit_price": 2, "quantity": 3},
        {"id": 17, "sku": "A", "title": "Apple", "price": 2, "quantity": 3},
        {"item_id": "(not set)", "id": "A", "item_name": "", "name": "Apple", "price": 2, "quantity": 3},
        {"item_id": "A", "id": 17, "item_name": "Apple", "name": "line 1", "price": 2, "quantity": 3, "count": 9},
    ]
    read = items_of(tmp_path, *({"items": [{}, each]} for each in spelled))
    names = ("product_id", "product_name", "price", "quantity")
    assert [tuple(item[name] for name in names) for (_, item) in read] == [("A", "Apple", 2, 3)] * len(spelled)


def test_the_product_or_products_of_an_event_are_read_wherever_they_stand(tmp_path: Path) -> None:
    one = {"id": "A", "name": "Apple", "price": 2, "quantity": 3}
    cases = [
        {"item_id": "A", "item_name": "Apple", "price": 2, "quantity": 3},
        {"productId": "A", "product_name": "Apple", "price": 2, "quantity": 3, "coupons": ["x"]},
        {"sku": "A", "item_name": "Apple", "unit_price": "2", "qty": 3},
        *({name: one} for name in ("product", "item")),
        *({name: [one]} for name in ("products", "line_items", "lineItems", "contents")),
    ]
    read = items_of(tmp_path, *cases)
    names = ("product_id", "product_name", "price", "quantity")
    assert [[tuple(item[name] for name in names) for item in items] for items in read] == [[("A", "Apple", 2, 3)]] * 9


def test_fields_that_nothing_reads_are_named_whatever_columns_and_functions_are_called(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, object]]] = [
        ("page_view", {"user_id": "42", "referrer": "https://a.example/", "timestamp": 1}),
        ("page_view", {"screen": "home", "document": "d", "end": 1, "index": 5, "replace": 1}),
        ("purchase", {"transaction_id": "P", "price": 70, "quantity": 2, "value": 3}),
    ]
    rows = clicks_of([{"name": name, "data": data} for name, data in cases])
    with built_platform(tmp_path, rows, ["cleaned.clickstream"]) as session:
        names = "document, end, index, price, quantity, referrer, replace, screen, timestamp, user_id"
        assert unread_fields(session) == [f"{names} in event_data of clickstream"]


def test_fields_of_items_that_nothing_reads_are_named(tmp_path: Path) -> None:
    item = {"item_id": "A", "colour": "red", "item_category5": "x", "Item Name": "Apple", "size": None}
    rows = clicks_of([{"name": "view_item", "data": {"items": [item, {"sku": "B", "weight": 2, "size": None}]}}])
    with built_platform(tmp_path, rows, ["cleaned.clickstream"]) as session:
        assert unread_fields(session) == ["colour, weight in items of clickstream"]


def test_items_that_are_one_object_are_one_item_and_others_that_are_no_list_are_named(tmp_path: Path) -> None:
    one = {"item_id": "A", "price": 2}
    cases: list[object] = [one, json.dumps(one), None, "", "N/A", [], {}, 3, "two apples", {"0": one}]
    rows = clicks_of([{"name": "purchase", "data": {"value": 7, "items": items}} for items in cases])
    with built_platform(tmp_path, rows, CLEANED) as session:
        found = session.frame("SELECT product_id FROM cleaned.event_items")["product_id"].to_list()
        (values,) = session.frame("SELECT sum(amount) AS amount FROM cleaned.events")["amount"]
        assert (found, values) == (["A", "A"], Decimal(7 * len(cases)))
        assert unread_fields(session) == ["items that are no list in event_data of clickstream"]


def test_of_a_list_of_items_what_is_no_object_is_named(tmp_path: Path) -> None:
    one, two = {"item_id": "A", "price": 2}, {"item_id": "B"}
    cases: list[list[object]] = [[1, one], [one, "x, y"], [one, "}, 1", two], [[], one], [one, True, two], ["A", "B"]]
    rows = clicks_of([{"name": "view_item", "data": {"items": items}} for items in cases])
    with built_platform(tmp_path, rows, CLEANED) as session:
        found = session.rows("SELECT product_id, count(*) FROM cleaned.event_items GROUP BY 1 ORDER BY 1 NULLS LAST")
        assert found == [("A", 5), ("B", 2), (None, 7)]
        assert unread_fields(session) == ["items that are no object in event_data of clickstream"]
        kept = "SELECT count(*) FROM cleaned.clickstream WHERE event_data LIKE '%items that are no object%'"
        assert session.one(kept) == (len(cases),)


def test_a_product_and_a_list_may_be_called_as_an_erased_client_is(tmp_path: Path) -> None:
    name = "erased:0123456789abcdef"
    item = {"item_id": name, "item_list_id": name, "item_list_name": name, "price": 5}
    rows = [click("a", "2024-03-01T10:00:00Z", "purchase", data={"items": [item]})]
    with built_platform(tmp_path, rows, ["star.fact_event_items"]) as session:
        for table, column in (("star.dim_product", "product_id"), ("star.dim_list", "list_id")):
            assert session.rows(f"SELECT count(*) FROM {table} WHERE {column} = '{name}'") == [(1,)]


def test_an_order_of_universal_analytics_is_read_in_the_data_of_an_export_too(tmp_path: Path) -> None:
    order = {"actionField": {"id": "T", "revenue": "30", "tax": "4.90"}, "products": [{"id": "p", "price": 30}]}
    flat = {"transactionId": "T", "transactionTotal": 30, "transactionTax": "4.90"}
    forms = [
        {"ecommerce": {"currencyCode": "EUR", "purchase": order}},
        {**order, "currencyCode": "EUR"},
        {**flat, "transactionProducts": order["products"], "currency": "EUR"},
        {"ec_id": "T", "revenue": 30, "ec_tx": 4.9, "ec_items": [["p", "Tee", "C", 30, 1]], "currency": "EUR"},
    ]
    with built_platform(tmp_path, purchases_of(forms), CLEANED) as session:
        found = session.rows(
            "SELECT transaction_id, events.amount, tax, events.currency, product_id FROM cleaned.events AS events "
            "JOIN cleaned.event_items USING (event_id)"
        )
        assert unread_fields(session) == []
    assert found == [("T", Decimal(30), Decimal("4.90"), "EUR", "p")] * 4
