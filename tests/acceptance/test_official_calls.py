"""A call placed by an official client, spoken over its WebSocket both ways, and read by that client afterwards."""

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from official import Official

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from assistants import hearing, scripted, speech_at
from stack import Stack

from voxbus_testing.caller import Caller

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

QUESTION, ANSWER = "hello over there", "Hello to you too."
ARTIFACTS_WITHIN_S = 30


async def test_a_call_is_placed_talked_over_and_its_artifacts_are_read(
    stack: Stack, http: httpx.Client, official: Official
) -> None:
    pcm, _, labels = speech_at(QUESTION, 1_500)
    assistant = hearing(scripted({"when": "hello", "say": ANSWER}, name="Answers"), labels)
    assistant_id = http.post("/assistant", json=assistant).json()["id"]
    body = {"assistantId": assistant_id, "transport": {"provider": "vapi.websocket"}, "name": "by a client"}
    placed = official.do("calls", "create", body=body)
    assert (placed["type"], placed["status"]) == ("vapi.websocketCall", "queued")

    caller = Caller(stack.api, stack.key)
    caller.call_id, caller.url = placed["id"], placed["transport"]["websocketCallUrl"]
    await caller.dial()
    caller.say(pcm)
    await caller.until(lambda: len(caller.agent_pcm()) > 8_000, 40, "the assistant's voice")
    await caller.until_quiet()
    await caller.hang_up()
    await caller.close()
    assert http.delete(f"/assistant/{assistant_id}").status_code == 200, "a call outlives its assistant"

    call = ended(official, placed["id"])
    assert call["endedReason"] == "customer-ended-call"
    said = [(each["role"], each["message"]) for each in call["messages"] if each["role"] in ("user", "bot")]
    assert said == [("user", QUESTION), ("bot", ANSWER)]
    assert ANSWER in call["artifact"]["transcript"]
    spoken = [(each["role"], each["content"]) for each in call["artifact"]["messagesOpenAIFormatted"]]
    assert ("assistant", ANSWER) in spoken
    kinds = {row["type"] for row in call["costs"]}
    assert {"transport", "transcriber", "model", "voice"} <= kinds
    assert call["cost"] == pytest.approx(sum(row["cost"] for row in call["costs"]))
    read_artifacts(stack, http, official, call)


def ended(official: Official, call_id: str) -> Json:
    """As the client reads it once nothing more comes."""
    deadline = time.monotonic() + ARTIFACTS_WITHIN_S
    while True:
        call = official.do("calls", "get", id=call_id)
        costs = [row["type"] for row in call.get("costs") or []]
        if call["status"] == "ended" and "transport" in costs and (call.get("artifact") or {}).get("recordingUrl"):
            return call
        assert time.monotonic() < deadline, f"not complete: {call['status']}, {costs}, {call.get('artifact')}"
        time.sleep(0.5)


def read_artifacts(stack: Stack, http: httpx.Client, official: Official, call: Json) -> None:
    """Recordings and logs by their routes, whose 302 leads where no key is needed, and by the client's own methods."""
    for name in ("mono-recording", "stereo-recording", "customer-recording", "assistant-recording", "call-logs"):
        answer = http.get(f"/call/{call['id']}/{name}")
        assert answer.status_code == 302, f"{name}: {answer.status_code} {answer.text[:200]}"
        content = httpx.get(answer.headers["location"]).content
        if name == "call-logs":
            assert all(json.loads(line) for line in gzip.decompress(content).splitlines())
        else:
            assert content[:4] == b"RIFF"
            assert len(content) > 16_000
    if official.name != "python-0.4.0":
        for method in ("mono_recording", "stereo_recording", "call_logs"):
            official.do("calls", f"call_artifact_controller_{method}_download", id=call["id"])
    gone = official.do("calls", "delete", id=call["id"])
    assert gone["id"] == call["id"]
    assert http.get(f"/call/{call['id']}").status_code == 404
