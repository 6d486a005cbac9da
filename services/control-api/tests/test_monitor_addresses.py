"""Who may control a call and listen to it, by the assistant's plan, its addresses' tokens and keys."""

from typing import Any

import pytest

from voxbus_contracts.commands import EndCall
from voxbus_contracts.config import CallConfig
from voxbus_control_api.key_store import Key

END = {"type": "end-call"}
NO_KEY = {"authorization": ""}


def with_plan(**plan: Any) -> dict[str, Any]:
    return {"assistant": {"monitorPlan": plan}}


async def test_a_call_has_both_addresses_in_every_answer_and_in_its_configuration(server: Any) -> None:
    call = await server.call()
    monitor = call["monitor"]
    assert monitor["listenUrl"].startswith(f"ws://api:8080/call/{call['id']}/listen?token=")
    assert monitor["controlUrl"].startswith(f"http://api:8080/call/{call['id']}/control?token=")
    assert (await server.client.get(f"/call/{call['id']}")).json()["monitor"] == monitor
    assert (await server.client.get("/call")).json()[0]["monitor"] == monitor
    config: CallConfig = server.bus.configs[-1]
    assert config.monitor is not None
    assert (config.monitor.listen_url or "").startswith("sealed:")
    assert monitor["listenUrl"] not in config.payload().decode()


@pytest.mark.parametrize(("switch", "there"), [("listenEnabled", "controlUrl"), ("controlEnabled", "listenUrl")])
async def test_what_the_plan_forbids_has_no_address_and_is_refused(server: Any, switch: str, there: str) -> None:
    both = (await server.call())["monitor"]
    call = await server.call(**with_plan(**{switch: False}))
    assert list(call["monitor"]) == [there]
    assert list((await server.client.get(f"/call/{call['id']}")).json()["monitor"]) == [there]
    answer = await server.client.post(f"/call/{call['id']}/control", json=END)
    assert answer.status_code == (403 if switch == "controlEnabled" else 200)
    assert both.keys() == {"listenUrl", "controlUrl"}


async def test_an_address_that_needs_a_key_opens_to_any_key_of_the_organisation_and_to_no_other(server: Any) -> None:
    call = await server.call(**with_plan(controlAuthenticationEnabled=True))
    url = call["monitor"]["controlUrl"]
    await server.app.state.api.keys.add("vb_page", Key("key-9", server.org, "public", 9, 9))
    refused = [await server.client.post(url, json=END, headers=headers) for headers in (NO_KEY, server.theirs)]
    assert [each.status_code for each in refused] == [401, 401]
    assert server.bus.commands == []
    accepted = await server.client.post(url, json=END, headers={"authorization": "Bearer vb_page"})
    assert (accepted.status_code, accepted.json()) == (200, {"status": "accepted"})
    ((_, command),) = server.bus.commands
    assert command == EndCall(reason="manually-canceled")


async def test_a_public_key_alone_controls_nothing(server: Any) -> None:
    call = await server.call()
    await server.app.state.api.keys.add("vb_page", Key("key-9", server.org, "public", 9, 9))
    path = f"/call/{call['id']}/control"
    answer = await server.client.post(path, json=END, headers={"authorization": "Bearer vb_page"})
    assert answer.status_code == 403
