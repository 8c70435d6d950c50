"""What `parse_items` and `canonical_json` promise."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics_platform.gate.exact_json import canonical_json, read_json
from analytics_platform.sources.ecommerce_events.items import NUMERIC_FIELDS, ItemsError, parse_items
from analytics_platform_tests.sources.ecommerce_events.written_items import TEXTS, Written, written_items

ISSUE = (
    "[{item_id=prod_1, item_name=Audífonos, negro, item_brand=(not set), price=1499.0, price_in_usd=81.25, "
    "quantity=1, item_list_name=Los más comprados, item_list_index=(not set), coupon=(not set), "
    "item_params=[{key=totalPrice, value={string_value=$1,499.00, int_value=null, float_value=null, "
    "double_value=null}}, {key=discounts, value={string_value=CAMPAIGN_A|EXP_01, int_value=null, float_value=null, "
    "double_value=null}}]}, {item_id=prod_2}]"
)


def typed(text: str | None = None, **values: object) -> dict[str, object]:
    nothing = {"string_value": text, "int_value": None, "float_value": None, "double_value": None}
    return {**nothing, **values}


def only(text: str) -> dict[str, object]:
    (item,) = parse_items(text)
    return item


def test_the_items_of_the_ga4_export_are_read() -> None:
    assert parse_items(ISSUE) == [
        {
            "item_id": "prod_1",
            "item_name": "Audífonos, negro",
            "price": 1499,
            "price_in_usd": Decimal("81.25"),
            "quantity": 1,
            "item_list_name": "Los más comprados",
            "item_params": [
                {"key": "totalPrice", "value": typed("$1,499.00")},
                {"key": "discounts", "value": typed("CAMPAIGN_A|EXP_01")},
            ],
        },
        {"item_id": "prod_2"},
    ]


@given(written_items())
@example(Written([], [], "[]"))
@example(Written([{}, {}], [{}, {}], "[{}, {}]"))
@example(Written([{}, {"aa": "x"}, {}], [{}, {"aa": "x"}, {}], "[{}, {aa=x}, {}]"))
def test_the_same_items_are_read_from_all_three_forms(items: Written) -> None:
    forms = (items.in_json, json.dumps(items.in_json), json.dumps(items.in_json, ensure_ascii=False), items.in_ga4)
    for form in forms:
        assert parse_items(form) == items.says
    assert len({canonical_json(parse_items(form)) for form in forms}) == 1


@given(written_items())
def test_what_was_read_is_read_again_from_its_canonical_text(items: Written) -> None:
    text = canonical_json(items.says)
    assert parse_items(text) == items.says
    assert canonical_json(read_json(text)) == text


@given(written_items(), st.text(" \n\t", max_size=3), st.text(" \n\t", max_size=3))
def test_blanks_around_a_list_say_nothing(items: Written, before: str, after: str) -> None:
    assert parse_items(f"{before}{items.in_ga4}{after}") == items.says


@pytest.mark.parametrize(
    "name",
    [
        "a, b=c",
        "a,price=3",
        "a, price = 3",
        "a, talla M=3",
        "a, código=3",
        "a, 2nd=3",
        f"a, {'x' * 41}=3",
        "a, ",
        ", ",
        "{a}, {b}",
        "[1], [2]]}]",
        "}",
        "}}]}, {b=c}",
        "x=y=z",
        "a, {bb=c}",
        "a, {key=b",
    ],
)
def test_a_text_keeps_what_is_not_syntax(name: str) -> None:
    assert parse_items(f"[{{item_name={name}, price=1}}]") == [{"item_name": name, "price": 1}]
    assert parse_items(f"[{{price=1, item_name={name}}}]") == [{"item_name": name, "price": 1}]
    assert parse_items(f"[{{item_name={name}}}, {{item_name={name}}}]") == [{"item_name": name}] * 2
    params = f"[{{key={name}, value={{string_value={name}, int_value=1}}}}, {{key=k, value={{string_value={name}}}}}]"
    expected = [{"key": name, "value": typed(name, int_value=1)}, {"key": "k", "value": typed(name)}]
    assert parse_items(f"[{{item_params={params}}}, {{}}]") == [{"item_params": expected}, {}]
    assert parse_items(f"[{{item_params={params}, aa=b}}]") == [{"item_params": expected, "aa": "b"}]


def test_known_and_unknown_names_after_a_comma_and_a_blank_start_a_field() -> None:
    assert only("[{item_name=Cable, price=3, color=red, azul, totalPrice=$1,499.00}]") == {
        "item_name": "Cable",
        "price": 3,
        "color": "red, azul",
        "totalPrice": "$1,499.00",
    }


def test_an_unknown_name_that_the_item_has_already_is_text() -> None:
    assert only("[{item_name=Kit, size=M, size=L, price=1}]") == {"item_name": "Kit", "size": "M, size=L", "price": 1}


def test_within_a_parameter_only_the_typed_names_start_a_value() -> None:
    value = "a, price=1, color=red, value={x}}, {y}}]"
    item = only(f"[{{item_params=[{{key=k, value={{string_value={value}, int_value=7}}}}]}}]")
    assert item == {"item_params": [{"key": "k", "value": typed(value, int_value=7)}]}


def test_missing_values_are_left_out_in_every_form() -> None:
    expected = [dict[str, object]()]
    assert parse_items("[{coupon=, item_brand=null, item_id=(not set), price=null}]") == expected
    assert parse_items('[{"coupon": "", "item_brand": null, "item_id": "(not set)", "price": "null"}]') == expected


@pytest.mark.parametrize("text", ["1499", "1499.0", "1499.000", "1.499e3", "14990E-1", "1499e+0000", "001499"])
def test_a_number_is_the_same_however_it_is_written(text: str) -> None:
    forms: list[object] = [f"[{{price={text}}}]", f'[{{"price": "{text}"}}]', [{"price": text}], [{"price": 1499.0}]]
    if not text.startswith("0"):
        forms.append(f'[{{"price": {text}}}]')
    assert {canonical_json(parse_items(form)) for form in forms} == {'[{"price":1499}]'}


@pytest.mark.parametrize("text", ["Infinity", "-.", "1,499.00", "$3", "1e400", "9" * 101, "٣", "1_0", " 1", "0x1"])
def test_a_numeric_field_that_is_not_a_number_stays_text(text: str) -> None:
    assert only(f"[{{price={text}}}]") == {"price": text}
    assert only(f'[{{"price": "{text}"}}]') == {"price": text}


def test_the_numbers_of_the_export_and_of_the_trackers_are_numbers() -> None:
    names = sorted(NUMERIC_FIELDS)
    assert names == [
        *("discount", "index", "item_list_index", "item_price", "item_refund", "item_refund_in_usd", "item_revenue"),
        *("item_revenue_in_usd", "price", "price_in_usd", "quantity"),
    ]
    text = ", ".join(f"{name}=1.50" for name in names)
    assert only(f"[{{{text}}}]") == dict.fromkeys(names, Decimal("1.5"))
    values = ", ".join(f"{name}=7.0" for name in ("string_value", "int_value", "float_value", "double_value"))
    params = only(f"[{{item_params=[{{key=7.0, value={{{values}}}}}]}}]")["item_params"]
    assert params == [{"key": "7.0", "value": typed("7.0", int_value=7, float_value=7, double_value=7)}]


def test_numbers_are_exact_to_the_last_digit() -> None:
    number = "12345678901234567890.123456789012345678901234567890123456789"
    for form in (f"[{{price={number}}}]", f'[{{"price": {number}}}]'):
        assert canonical_json(parse_items(form)) == f'[{{"price":{number}}}]'


def test_fields_that_are_texts_are_texts_also_when_json_has_them_as_numbers() -> None:
    expected = [{"item_id": "1236", "in_stock": "true", "stock": "12.5"}]
    assert parse_items('[{"item_id": 1236, "in_stock": true, "stock": 12.50}]') == expected
    assert parse_items("[{item_id=1236, in_stock=true, stock=12.5}]") == expected


def test_parameters_of_another_shape_and_nested_fields_stay_as_they_are() -> None:
    items: list[dict[str, object]] = [{"item_params": {"size": "M"}, "sizes": [1, {"a": None}]}]
    assert parse_items(items) == items
    assert parse_items(json.dumps(items)) == items
    assert parse_items('[{"item_params": [{"key": "k", "value": {"int_value": "7"}}]}]') == [
        {"item_params": [{"key": "k", "value": typed(int_value=7)}]}
    ]


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "a list"),
        ("  garbage", 2, "a list"),
        ("{item_id=1}", 0, "a list"),
        ("[{item_id=1, price=3", 20, "end of the list"),
        ("[{item_id=1}, {price=3]", 23, "end of the list"),
        ("[{no field}]", 1, "an item"),
        ("[{b=one letter}]", 1, "an item"),
        ("[{item_id=1}, {}, x}]", 18, "an item"),
        ("[{item_id=1, price=3, price=4}]", 22, "price is given twice"),
        ("[{item_id=1, price=3, item_id=2, price=4}]", 22, "item_id is given twice"),
        ("[{item_id=1, item_params=[x]}]", 13, "expected item_params=[{key="),
        ("[{item_params=[{kay=x, value={string_value=y}}]}]", 1, "expected {item_params=[{key="),
        ("[{item_id=1, item_params=[{key=x, valu={string_value=y}}]}]", 13, "expected value={"),
        ("[{item_params=[{key=x, value={text=y}}]}]", 23, "typed value"),
        ("[{item_params=[{key=x, value={string_value}}]}]", 23, "typed value"),
        ("[{item_params=[{key=x, value={string_value, int_value=1}}]}]", 23, "typed value"),
        ("[{item_params=[{key=x, value={int_value=1, int_value=2}}]}]", 43, "typed value"),
        ("[{item_params=[{key=x}]}, {item_params=[{key=y, value={int_value=2}}]}]", 1, "expected value={"),
        ("[{item_params=[{key=x, value={int_value=1}]}]", 23, "expected }}"),
        ("[{item_params=[{key=x, value=null}x}]}]", 23, "after value=null"),
        ("[{item_id=a\0}]", 11, "NUL"),
        ("[{item_id=a\ud83d}]", 11, "surrogate"),
        ('[{"item_id": 1,}]', 15, "not JSON"),
        ('[{"price": NaN}]', 11, "NaN is no number"),
        ('[{"item_id": "NaN", "price": -Infinity}]', 29, "-Infinity is no number"),
        ('[{"price": 1e400}]', 11, "number too long"),
        ('[{"item_id": "a\0"}]', 15, "NUL"),
        ("[abc]", 1, "not JSON"),
        ("[object Object]", 1, "not JSON"),
    ],
)
def test_an_error_tells_where_parsing_stopped_and_why(text: str, position: int, reason: str) -> None:
    with pytest.raises(ItemsError) as caught:
        parse_items(text)
    assert caught.value.position == position
    assert reason in caught.value.reason
    assert str(caught.value) == f"position {position}: {caught.value.reason}"


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        True,
        {"price": 1},
        {"0": {"item_id": "a"}},
        [["a"]],
        [{"price": 1}, None],
        [{"price": float("nan")}],
        [{"a": [float("inf")]}],
    ],
)
def test_what_is_not_a_list_of_objects_is_rejected_without_a_position(value: object) -> None:
    with pytest.raises(ItemsError) as caught:
        parse_items(value)
    assert caught.value.position is None


@pytest.mark.parametrize("one", [{"item_id": "A", "price": 2}, {"Item Name": "Lamp"}])
def test_one_object_that_names_an_item_is_a_list_of_it(one: dict[str, object]) -> None:
    for form in (one, json.dumps(one), f" {one}"):
        assert parse_items(form) == parse_items([one])
    assert parse_items({}) == parse_items("{}") == []


@pytest.mark.parametrize("text", ['[{"a": 1, "a": 2}]', '[{"a": "\\ud800"}]', '[{"a\\u0000": 1}]', "[" * 65 + "]" * 65])
def test_json_that_two_readers_would_read_differently_or_no_database_stores_is_rejected(text: str) -> None:
    with pytest.raises(ItemsError):
        parse_items(text)


def parses_or_rejects(text: str) -> None:
    """Nothing but `ItemsError`, and what is read has a canonical text that UTF-8 can write."""
    try:
        items = parse_items(text)
    except ItemsError as error:
        assert error.position is None or 0 <= error.position <= len(text)
    else:
        assert "\\u0000" not in canonical_json(items).encode().decode().replace("\\\\", "")


@given(
    st.text() | st.text(st.characters(exclude_categories=())) | st.text("[]{}=, \"':0aeENI.-\\u", max_size=40) | TEXTS
)
def test_any_text_is_read_or_rejected(text: str) -> None:
    parses_or_rejects(text)
    parses_or_rejects(f"[{{item_id={text}}}]")
    parses_or_rejects(f"[{{item_params=[{{key={text}, value={{string_value={text}}}}}]}}]")


@given(written_items(), st.booleans(), st.data())
def test_any_damaged_list_is_read_or_rejected(items: Written, as_json: bool, data: st.DataObject) -> None:
    text = json.dumps(items.in_json) if as_json else items.in_ga4
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 5)))
        put = data.draw(st.sampled_from(["", "}", "{", "]", "[", ", ", "=", '"', "}, {", "}}", ", price=1", "\0"]))
        text = text[:start] + put + text[end:]
    parses_or_rejects(text)


N = 50_000
HOSTILE = (
    "x" * 10**6,
    ", " * N,
    ", a" * N,
    ", aa=b" * N,
    ", aa=b, bb=" * (N // 2),
    "}, {" * N,
    "}, {}" * N,
    "}}, {key=" * N,
    ", value={" * N,
    "=" * 10**6,
    "[{" * N,
    "[" * 10**6,
    "}}]}" * N,
    ", int_value=" * N,
    ", {key=a, value={int_value=1}}" * (N // 10),
    '"\\"' * N,
    'NaNx"' + '\\"' * N,
    '{"a":' * N,
    "9" * 10**6,
    "1e" + "9" * 10**6,
)


@pytest.mark.parametrize(
    "start", ["[", "[{item_id=", "[{item_params=[{key=", "[{item_params=[{key=k, value={string_value=", '[{"a":']
)
def test_a_large_text_takes_linear_time(start: str) -> None:
    for middle in HOSTILE:
        for end in ("", "}}]}]"):
            parses_or_rejects(start + middle + end)


def test_a_value_may_be_a_megabyte() -> None:
    name = "Audífonos, b=c {}" * 60_000
    assert only(f"[{{item_id=1, item_name={name}, price=2}}]") == {"item_id": "1", "item_name": name, "price": 2}


def test_canonical_text_is_compact_sorted_and_plain() -> None:
    value = {"b": [1, Decimal("1.50"), Decimal("1E+2"), Decimal("-0.0"), 0.1, True, None], "a": 'é"\n😀'}
    assert canonical_json(value) == '{"a":"é\\"\\n😀","b":[1,1.5,100,0,0.1,true,null]}'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**90), 10**90) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_canonical_text_loses_nothing(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ({1, 2}, TypeError)])
def test_what_json_does_not_know_has_no_canonical_text(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical_json([value])
