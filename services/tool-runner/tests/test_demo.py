import httpx
import pytest

from voxbus_tool_runner.answer import read_answer
from voxbus_tool_runner.demo_orders import ORDERS, digits_of, status_of
from voxbus_tool_runner.demo_server import demo_app


@pytest.mark.parametrize(
    ("spoken", "digits"),
    [
        ("four seven one one", "4711"),
        ("for seven won one", "4711"),
        ("forty seven eleven", "4711"),
        ("47 11", "4711"),
        ("four thousand", "4"),
        ("twenty twenty", "2020"),
        ("five fifty five", "555"),
        ("one two three for", "1234"),
        ("ten oh oh", "1000"),
        ("order number please", ""),
        ("twenty zero", "200"),
    ],
)
def test_a_spoken_order_number_is_read_as_digits(spoken: str, digits: str) -> None:
    assert digits_of(spoken) == digits


def test_every_order_is_found_and_others_are_said_to_be_unknown() -> None:
    for number, status in ORDERS.items():
        assert status in status_of(number)
    assert "cannot find order 9 9" in status_of("nine nine")
    assert "did not get" in status_of("hello")


async def test_the_demo_server_answers_vapis_tool_calls_format() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "order_status", "arguments": {"order": "4711"}}}
    as_text = {"id": "call_2", "function": {"name": "order_status", "arguments": '{"order": "five five five"}'}}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(demo_app()), base_url="http://demo") as client:
        response = await client.post(
            "/tools/order-status", json={"message": {"type": "tool-calls", "toolCallList": [call, as_text]}}
        )
        bad = [await client.post("/tools/order-status", content=content) for content in (b"{", b"[]", b"{}", b"1")]
        orders = await client.get("/orders")
    assert read_answer(200, response.content, "call_1").result == "Order 4 7 1 1 is packed and ships on Friday."
    assert read_answer(200, response.content, "call_2").result == "Order 5 5 5 waits for your payment."
    assert [each.status_code for each in bad] == [400] * 4
    assert orders.json() == ORDERS
