"""What `voxbus call` makes of the API's object, and a whole call against a server made of real sockets."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree

import pytest
from websockets.asyncio.server import ServerConnection, serve

from voxbus_cli.call.api import Api, is_this_machine
from voxbus_cli.call.conduct import CallerSpeech, Conduct, Manners
from voxbus_cli.call.drawing import drawing
from voxbus_cli.call.line import converse
from voxbus_cli.call.outcome import has_failed, outcome_of, transcript
from voxbus_cli.call.voice import AgentVoice
from voxbus_cli.call.waterfall import picture
from voxbus_cli.errors import ApiRefused, BadInput, NotReachable

LOUD = b"\x10\x20" * 320
TURN = {"turn": 1, "v2v_ms": 712.0, "parts": {"model": 12.0, "bus": 700}}
TOOL = {"name": "order_status", "count": 2, "p50_ms": 14, "p95_ms": 80}
CALL = {
    "id": "call-1",
    "status": "ended",
    "endedReason": "customer-ended-call",
    "cost": 0.0,
    "costs": [{"type": "voice", "cost": 0}],
    "messages": [
        {"role": "system", "message": "be kind", "time": 1, "secondsFromStart": 0},
        {"role": "bot", "message": "Hello.", "time": 1000, "endTime": 1500, "secondsFromStart": 0.5, "duration": 500},
        {"role": "user", "message": "where is my order", "time": 3000, "secondsFromStart": 2.5},
        {
            "role": "tool_calls",
            "time": 4000,
            "secondsFromStart": 3.5,
            "toolCalls": [{"function": {"name": "order_status", "arguments": {"order": "4711"}}}],
        },
        {"role": "tool_call_result", "name": "order_status", "result": "Friday", "time": 4100, "secondsFromStart": 3.6},
    ],
    "artifact": {
        "performanceMetrics": {"turnLatencies": [{"turnLatency": 712.0}], "voxbusTurns": [TURN], "voxbusTools": [TOOL]}
    },
}


def test_the_outcome_has_what_was_said_by_whom_and_when() -> None:
    outcome = outcome_of(CALL)
    assert [message["role"] for message in outcome["messages"]] == [
        "assistant",
        "user",
        "tool_calls",
        "tool_call_result",
    ]
    assert outcome["messages"][0] == {
        "role": "assistant",
        "text": "Hello.",
        "time": 1000,
        "end_time": 1500,
        "seconds_from_start": 0.5,
        "duration": 500,
    }
    assert outcome["turns"] == [TURN]
    assert (outcome["call_id"], outcome["ended_reason"], outcome["cost"]) == ("call-1", "customer-ended-call", 0.0)


def test_a_call_that_never_began_still_has_an_outcome() -> None:
    nothing = {"messages": [], "turns": [], "tools": [], "ended_reason": None, "cost": None}
    assert outcome_of({"id": "x"}) == {"call_id": "x", **nothing}


@pytest.mark.parametrize(
    ("reason", "failed"),
    [
        ("customer-ended-call", False),
        ("assistant-ended-call", False),
        ("silence-timed-out", False),
        ("call.in-progress.error-vapifault-worker-not-available", True),
        ("pipeline-error-custom-llm-failed", True),
        (None, True),
    ],
)
def test_a_call_that_ended_by_a_fault_fails_the_command(reason: str | None, failed: bool) -> None:
    assert has_failed(outcome_of({"id": "x", "endedReason": reason})) is failed


def test_the_transcript_reads_like_one() -> None:
    text = transcript(outcome_of(CALL))
    assert "   0.50 s  Agent: Hello." in text
    assert "Caller: where is my order" in text
    assert "Tool: order_status({'order': '4711'})" in text
    assert "Result: Friday" in text
    assert "turn 1: answered after 712 ms\n  model           12 ms  ▊\n  bus            700 ms  " in text
    assert "tool order_status: 2 ×, p50 14 ms, p95 80 ms" in text


def test_a_turns_bars_stand_where_the_time_went() -> None:
    turn = {"turn": 2, "v2v_ms": 480.0, "parts": {"endpointing": 240.0, "tools": 0.0, "model": 120.0, "bus": 120.0}}
    assert picture(turn) == [
        "turn 2: answered after 480 ms",
        "  endpointing    240 ms  " + "█" * 24,
        "  model          120 ms  " + " " * 24 + "█" * 12,
        "  bus            120 ms  " + " " * 36 + "█" * 12,
    ]


def test_the_answer_after_a_tool_has_bars_of_its_own() -> None:
    turn = {**TURN, "answer_ms": 1500.0, "answer_parts": {"tools": 1500.0}}
    assert picture(turn)[-2:] == [
        "turn 1: answered with the tool's result after 1500 ms",
        "  tools         1500 ms  " + "█" * 48,
    ]


def test_the_drawing_holds_every_part_at_its_place_and_escapes_what_it_writes() -> None:
    turn = {"turn": 1, "v2v_ms": 620.0, "parts": {"endpointing": 500.0, "<new>": 120.0}}
    drawn = ElementTree.fromstring(drawing([turn, {**TURN, "turn": 2}]))
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("height") == "16"]
    scale = 620 / 712
    starts = [float(bar.get("x") or 0) for bar in bars]
    assert starts == pytest.approx([150, 150 + 500 * scale, 150, 150 + 12 * scale], abs=0.1)
    assert float(bars[0].get("width") or 0) == pytest.approx(500 * scale, abs=0.1)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:80", True), ("ws://[::1]:9/x", True), ("http://localhost", True), ("https://a.example", False)],
)
def test_only_the_loopback_is_this_machine(url: str, here: bool) -> None:
    assert is_this_machine(url) is here


async def test_a_conversation_over_a_real_websocket_is_heard_and_ended() -> None:
    heard: list[bytes | str] = []

    async def agent(line: ServerConnection) -> None:
        async for message in line:
            heard.append(message)
            if len(heard) == 20:
                for _ in range(10):
                    await line.send(LOUD)
                await line.send('{"type": "transcript"}')
            if message == '{"type": "end-call"}':
                return

    voice = AgentVoice(16_000)
    conduct = Conduct(CallerSpeech(LOUD * 10, 16_000, 10), voice, Manners(listens_first=False, after_answer_s=0.3))
    async with serve(agent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        report = await converse(f"ws://127.0.0.1:{port}/x", "k", conduct, voice)
    assert heard[:10] == [LOUD] * 10
    assert heard[-1] == '{"type": "end-call"}'
    assert len(voice.chunks) == 10
    assert 0.7 < report.lasted_s < 5.0
    assert report.why_ended == "answered"


async def test_the_caller_notices_when_the_agent_hangs_up() -> None:
    async def agent(line: ServerConnection) -> None:
        await line.recv()

    voice = AgentVoice(16_000)
    conduct = Conduct(CallerSpeech(LOUD * 500, 16_000, 500), voice, Manners(listens_first=False))
    async with asyncio.timeout(5), serve(agent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        report = await converse(f"ws://127.0.0.1:{port}/x", "k", conduct, voice)
    assert report.why_ended == "the other side hung up"


async def test_a_websocket_that_is_not_there_is_named_without_its_secret_path() -> None:
    voice = AgentVoice(16_000)
    conduct = Conduct(CallerSpeech(LOUD, 16_000, 1), voice, Manners())
    with pytest.raises(NotReachable, match=r"127\.0\.0\.1:1 ") as wrong:
        await converse("ws://127.0.0.1:1/call/transport?token=hidden", "k", conduct, voice)
    assert "hidden" not in str(wrong.value)


class _Server(ThreadingHTTPServer):
    answers: list[tuple[int, Any]]
    requests: list[tuple[str, Any]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((f"{self.command} {self.path}", json.loads(body or b"null")))
        status, answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the base class)
        """Quiet."""


@pytest.fixture
def server() -> Iterator[_Server]:
    """An HTTP server that gives prepared answers, the last one for ever."""
    found = _Server(("127.0.0.1", 0), _Handler)
    found.answers, found.requests = [], []
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def address(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


async def test_a_call_is_asked_for_at_the_rate_of_the_file(server: _Server) -> None:
    server.answers = [(201, {"id": "call-1"})]
    async with Api(address(server), "k") as api:
        await api.create_call("assistant-1", 11_025)
    audio = {"format": "pcm_s16le", "container": "raw", "sampleRate": 11_025}
    transport = {"provider": "vapi.websocket", "audioFormat": audio}
    assert server.requests == [("POST /call", {"assistantId": "assistant-1", "transport": transport})]


async def test_a_call_is_settled_when_it_has_ended_and_its_last_costs_have_come(server: _Server) -> None:
    early = {**CALL, "costs": [{"type": "transport", "cost": 0}]}
    states = [{"status": "in-progress"}, {"status": "ended", "costs": []}, early, early, CALL]
    server.answers = [(200, state) for state in states]
    async with asyncio.timeout(10), Api(address(server), "k") as api:
        assert await api.settled_call("call-1") == CALL
    assert {request for request, _ in server.requests} == {"GET /call/call-1"}


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (401, {"message": "no"}, "--key"),
        (
            400,
            {"message": ["assistantId must be a UUID", "transport is missing"]},
            "assistantId must be a UUID; transp",
        ),
        (404, {"message": "no such assistant"}, "no such assistant"),
        (500, "broken", "500"),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_the_api(
    server: _Server, status: int, answer: object, words: str
) -> None:
    server.answers = [(status, answer)]
    async with Api(address(server), "k") as api:
        with pytest.raises(ApiRefused, match=words):
            await api.create_call("x", 16_000)


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="--url"):
        Api("nats://127.0.0.1", "k")
