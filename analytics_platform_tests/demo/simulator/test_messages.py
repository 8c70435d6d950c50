"""The messages of the mobile shop keep their promises."""

from collections import defaultdict

from analytics_platform.demo.simulator import read_messages
from analytics_platform_tests.demo.simulator.conftest import Traffic
from analytics_platform_tests.demo.simulator.message_reader import distinct, read_body


def test_messages_come_in_every_form_and_so_do_their_copies(traffic: Traffic) -> None:
    messages = [message for message in traffic.before_late.messages if not message.reason]
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for message in messages:
        forms[message.identity].add(message.form)
    wraps, kinds = ("plain", "twice", "sns"), ("list", "text", "ga4")
    assert {message.form for message in messages} >= {f"{wrap}/{kind}" for wrap in wraps for kind in kinds}
    assert sum(len(each) > 1 for each in forms.values()) > 20
    assert {message.stamp for message in messages} >= {
        "10 digits",
        "13 digits",
        "16 digits",
        "9999-99-99T99:99:99.999Z",
        "9999-99-99T99:99:99.999",
        "9999-99-99 99:99:99.999999+99:99",
    }


def test_one_message_in_ten_is_a_copy(traffic: Traffic) -> None:
    truth = traffic.total.truth
    assert 0.07 < truth["ecommerce_events", "rows_duplicate"] / truth["ecommerce_events", "rows_read"] < 0.13


def test_broken_messages_are_spread_and_no_two_bodies_are_equal(traffic: Traffic) -> None:
    bodies = [body for path in traffic.folder.glob("**/messages/*") for body in read_messages(path)]
    broken = [body for body in bodies if read_body(body).reason]
    assert len(broken) == len(set(broken))
    messages = traffic.before_late.messages
    for start in range(0, len(messages) - 100, 100):
        assert sum(bool(message.reason) for message in messages[start : start + 100]) <= 4


def test_lists_show_ten_to_twenty_products_and_a_click_names_its_list(traffic: Traffic) -> None:
    for message in distinct(traffic.before_late.messages):
        if message.event["event_name"] == "view_item_list":
            assert 10 <= len(message.items) <= 20
            assert [item["item_list_index"] for item in message.items] == [
                str(index) for index in range(1, len(message.items) + 1)
            ]
        if message.event["event_name"] == "select_item":
            assert [set(item) >= {"item_list_name", "item_list_index"} for item in message.items] == [True]


def test_messages_are_a_third_of_the_clickstream(traffic: Traffic) -> None:
    truth = traffic.total.truth
    assert 0.25 < truth["ecommerce_events", "rows_read"] / truth["clickstream", "rows_read"] < 0.42
