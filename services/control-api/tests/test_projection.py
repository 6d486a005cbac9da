"""From events to the record of a call."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import Event
from voxbus_contracts.events import (
    CallEnded,
    CallQueued,
    CallRinging,
    CallStarted,
    CallTransferred,
    CostRow,
    CostUpdated,
    MediaAttached,
    ReplyFinished,
    ReplyInterrupted,
    ReplyStarted,
    ToolFinished,
    ToolRequested,
    TranscriptFinal,
    TurnCommitted,
    TurnMeasured,
)
from voxbus_control_api.past_events import PastEvent, in_order
from voxbus_control_api.projection import CallFacts, project

T0 = 1_700_000_000_000
BODY = {"assistantId": "a1", "metadata": {"crm": 7}, "transport": {"provider": "x"}, "status": "made up"}
CALL = CallFacts(
    id="11111111-1111-4111-8111-1111111111ab",
    org="acme",
    created_at_ms=T0,
    updated_at_ms=T0,
    call_type="vapi.websocketCall",
    transport={"provider": "vapi.websocket"},
    body=BODY,
    system_prompts=("You sell shoes.",),
)


def heard(seq: int, text: str, start: int, end: int) -> TranscriptFinal:
    return TranscriptFinal(
        transcript_seq=seq,
        text=text,
        start_pts_ms=start,
        end_pts_ms=end,
        speech_seq=seq,
        provider="p",
        recognition_ms=1,
    )


def committed(turn: int, text: str, anchor: int, seqs: tuple[int, ...]) -> TurnCommitted:
    return TurnCommitted(
        turn=turn, text=text, transcript_seqs=seqs, anchor_pts_ms=anchor, pts_ms=anchor + 500, reason="silence"
    )


ATTACHED = MediaAttached(
    attachment=1, transport="vapi.websocket", encoding="pcm_s16le", sample_rate_hz=16000, pts_ms=0, resumed=False
)
QUEUED = CallQueued(call_type="vapi.websocketCall", transport="vapi.websocket", config_hash="h")
PARTS = {"endpointing": 500.0, "recognition": 10.0, "model": 5.0, "sentence": 1.0, "voice": 4.0, "bus": 42.5}

# (producer, ms after creation, event): what really happens on a short call, in stream order
STORY: list[tuple[str, int, Event]] = [
    ("control-api", 0, QUEUED),
    ("media-ingress", 900, ATTACHED),
    ("media-ingress", 910, CallRinging()),
    ("media-ingress", 1_000, CallStarted(pts_ms=100, setup_ms=90)),
    ("llm-orchestrator", 1_010, ReplyStarted(reply=1, turn=0, source="first-message")),
    ("llm-orchestrator", 2_000, ReplyFinished(reply=1, turn=0, heard="Hello.", pts_ms=1_100)),
    ("stt-worker", 3_700, heard(1, "where is my", 1_500, 2_500)),
    ("stt-worker", 3_900, heard(2, "order", 2_600, 2_800)),
    ("llm-orchestrator", 4_200, committed(1, "where is my order", 2_800, (1, 2))),
    ("llm-orchestrator", 4_210, ReplyStarted(reply=2, turn=1, source="model")),
    (
        "llm-orchestrator",
        4_220,
        ToolRequested(tool_call_id="call_2_1", tool_name="order_status", arguments={"o": "é1"}, reply=2, turn=1),
    ),
    (
        "tool-runner",
        4_300,
        ToolFinished(tool_call_id="call_2_1", tool_name="order_status", result="Friday", duration_ms=70),
    ),
    ("llm-orchestrator", 4_500, TurnMeasured(turn=1, v2v_ms=562.5, parts=PARTS)),
    (
        "llm-orchestrator",
        5_500,
        ReplyInterrupted(reply=2, turn=1, heard="It ships", up_to_utterance_seq=3, pts_ms=4_300, reason="caller-spoke"),
    ),
    ("billing", 6_000, CostUpdated(version=1, rows=(), breakdown={"total": "0"}, total="0", ended=False)),
    ("llm-orchestrator", 7_000, CallEnded(pts_ms=6_100, reason="customer-ended-call")),
    (
        "billing",
        7_100,
        CostUpdated(
            version=5,
            rows=(CostRow.model_validate({"type": "voice", "cost": "0.0125", "characters": 27}),),
            breakdown={"tts": "0.0125", "total": "0.0125", "ttsCharacters": 27},
            total="0.0125",
            ended=True,
        ),
    ),
]
NUMBERED = ("media-ingress", "stt-worker", "llm-orchestrator")


def past(story: list[tuple[str, int, Event]]) -> list[PastEvent]:
    counts: dict[str, int] = {}
    out: list[PastEvent] = []
    for seq, (stage, after_ms, message) in enumerate(story, start=1):
        counts[stage] = counts.get(stage, 0) + 1
        number, epoch = (counts[stage], 7) if stage in NUMBERED else (0, 0)
        out.append(PastEvent(f"e{seq}", seq, stage, epoch, number, T0 + after_ms, message))
    return out


RECORD = project(CALL, past(STORY))


def test_the_life_of_a_call_is_told_in_the_public_apis_fields() -> None:
    assert RECORD["id"] == CALL.id
    assert RECORD["orgId"] == "acme"
    assert RECORD["type"] == "vapi.websocketCall"
    assert RECORD["status"] == "ended"
    assert RECORD["createdAt"] == "2023-11-14T22:13:20.000Z"
    assert RECORD["startedAt"] == "2023-11-14T22:13:21.000Z"
    assert RECORD["endedAt"] == "2023-11-14T22:13:27.000Z"
    assert RECORD["endedReason"] == "customer-ended-call"
    assert RECORD["updatedAt"] == "2023-11-14T22:13:27.100Z"


def test_what_was_posted_is_echoed_but_cannot_pose_as_the_record() -> None:
    assert (RECORD["assistantId"], RECORD["metadata"]) == ("a1", {"crm": 7})
    assert RECORD["transport"] == {"provider": "vapi.websocket"}


def test_messages_carry_roles_words_and_times_on_the_audio_clock() -> None:
    origin = T0 + 900
    assert [(m["role"], m.get("message")) for m in RECORD["messages"]] == [
        ("system", "You sell shoes."),
        ("bot", "Hello."),
        ("user", "where is my order"),
        ("tool_calls", ""),
        ("bot", "It ships"),
        ("tool_call_result", None),
    ]
    _, hello, user, _, answer, _ = RECORD["messages"]
    assert (user["time"], user["endTime"]) == (origin + 1_500, origin + 2_800)
    assert (user["secondsFromStart"], user["duration"]) == (1.5, 1_300)
    assert (hello["time"], hello["endTime"]) == (T0 + 1_010, origin + 1_100)
    assert answer["time"] == origin + 2_800 + 562, "the answer began when its latency was over"
    assert answer["endTime"] == origin + 4_300
    for message in RECORD["messages"]:
        assert isinstance(message["time"], int)
        assert message["secondsFromStart"] >= 0


def test_tool_calls_and_results_stand_between_the_words() -> None:
    calls, result = RECORD["messages"][3], RECORD["messages"][5]
    assert calls["toolCalls"] == [
        {"id": "call_2_1", "type": "function", "function": {"name": "order_status", "arguments": '{"o": "é1"}'}}
    ]
    assert (result["toolCallId"], result["name"], result["result"]) == ("call_2_1", "order_status", "Friday")


def test_the_artifact_has_transcript_and_chat_messages() -> None:
    artifact = RECORD["artifact"]
    assert artifact["transcript"] == "AI: Hello.\nUser: where is my order\nAI: It ships\n"
    assert artifact["messages"] == RECORD["messages"]
    roles = [message["role"] for message in artifact["messagesOpenAIFormatted"]]
    assert roles == ["system", "assistant", "user", "assistant", "assistant", "tool"]


def test_latencies_have_the_public_names_and_our_parts_add_up() -> None:
    metrics = RECORD["artifact"]["performanceMetrics"]
    assert metrics["turnLatencies"] == [
        {
            "modelLatency": 5.0,
            "voiceLatency": 4.0,
            "transcriberLatency": 10.0,
            "endpointingLatency": 500.0,
            "turnLatency": 562.5,
        }
    ]
    assert metrics["turnLatencyAverage"] == 562.5
    assert metrics["numAssistantInterrupted"] == 1
    (turn,) = metrics["voxbusTurns"]
    assert sum(turn["parts"].values()) == turn["v2v_ms"] == 562.5


def test_both_sides_interruptions_are_counted_as_the_public_api_means_them() -> None:
    metrics = RECORD["artifact"]["performanceMetrics"]
    assert (metrics["numUserInterrupted"], metrics["numAssistantInterrupted"]) == (0, 1)
    goes_on = ("stt-worker", 4_600, heard(3, "and the other one", 3_200, 4_000))
    ordered = ReplyInterrupted(reply=3, turn=0, heard="", up_to_utterance_seq=4, pts_ms=5_000, reason="told-to-say")
    story = [*STORY, goes_on, ("llm-orchestrator", 6_500, ordered)]
    metrics = project(CALL, past(story))["artifact"]["performanceMetrics"]
    assert (metrics["numUserInterrupted"], metrics["numAssistantInterrupted"]) == (1, 1)


def test_an_answer_after_a_tool_is_told_beside_the_first_sound() -> None:
    answered = TurnMeasured(turn=1, v2v_ms=562.5, parts=PARTS, answer_ms=900.0, answer_parts={"tools": 900.0})
    story = [(who, at, answered if isinstance(said, TurnMeasured) else said) for who, at, said in STORY]
    (turn,) = project(CALL, past(story))["artifact"]["performanceMetrics"]["voxbusTurns"]
    assert (turn["answer_ms"], turn["answer_parts"]) == (900.0, {"tools": 900.0})


def test_tools_have_their_quantiles_per_name() -> None:
    runs = [
        ("tool-runner", 4_400 + n, ToolFinished(tool_call_id=f"c{n}", tool_name=name, result="x", duration_ms=n))
        for name in ("weather", "clock")
        for n in range(1, 101)
    ]
    tools = project(CALL, past([*STORY[:4], *runs]))["artifact"]["performanceMetrics"]["voxbusTools"]
    assert tools == [
        {"name": "clock", "count": 100, "p50_ms": 50, "p95_ms": 95},
        {"name": "weather", "count": 100, "p50_ms": 50, "p95_ms": 95},
    ]


def test_the_highest_cost_version_counts_and_amounts_become_numbers() -> None:
    assert RECORD["cost"] == 0.0125
    assert RECORD["costs"] == [{"type": "voice", "cost": 0.0125, "characters": 27}]
    assert RECORD["costBreakdown"] == {"tts": 0.0125, "total": 0.0125, "ttsCharacters": 27}


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, len(STORY) - 1), max_size=6))
def test_arrival_order_and_repeats_do_not_change_the_record(random: Any, repeated: list[int]) -> None:
    events = past(STORY)
    arrived = events + [events[index] for index in repeated]
    random.shuffle(arrived)
    assert project(CALL, arrived) == RECORD


@pytest.mark.parametrize(
    ("seen", "status"), [(0, "queued"), (1, "queued"), (2, "ringing"), (3, "ringing"), (4, "in-progress")]
)
def test_a_running_call_has_a_record_too(seen: int, status: str) -> None:
    record = project(CALL, past(STORY[:seen]))
    assert record["status"] == status
    assert ("startedAt" in record) == (seen >= 4)
    assert "endedAt" not in record
    assert record["cost"] == 0


def test_a_transferred_call_is_forwarding_until_it_ends() -> None:
    moved = ("llm-orchestrator", 5_000, CallTransferred(destination="sip:desk@example.org", mode="blind-transfer"))
    record = project(CALL, past([*STORY[:4], moved]))
    assert record["status"] == "forwarding"
    assert record["destination"]["sipUri"] == "sip:desk@example.org"
    assert project(CALL, past([*STORY[:4], moved, STORY[-2]]))["status"] == "ended"


def test_what_a_fenced_owner_says_does_not_count() -> None:
    def said(seq: int, epoch: int, number: int, text: str) -> PastEvent:
        reply = ReplyFinished(reply=seq, turn=0, heard=text, pts_ms=seq * 1_000)
        return PastEvent(f"e{seq}", seq, "llm-orchestrator", epoch, number, T0 + seq, reply)

    events = [said(1, 5, 1, "old"), said(2, 9, 1, "new"), said(3, 5, 2, "zombie"), said(4, 9, 2, "newer")]
    record = project(CALL, events)
    assert record["artifact"]["transcript"] == "AI: old\nAI: new\nAI: newer\n"


def test_a_retry_that_was_stored_late_goes_back_to_its_number() -> None:
    def said(seq: int, number: int) -> PastEvent:
        return PastEvent(f"e{seq}", seq, "llm-orchestrator", 1, number, T0, CallRinging())

    other = PastEvent("x", 3, "billing", 0, 0, T0, CallRinging())
    ordered = in_order([said(1, 1), said(2, 3), other, said(4, 2), said(5, 4)])
    assert [event.number for event in ordered] == [1, 2, 0, 3, 4]


def test_words_nobody_heard_make_no_message() -> None:
    silent = ("llm-orchestrator", 1, ReplyFinished(reply=1, turn=1, heard="", pts_ms=5))
    assert project(CALL, past([silent]))["artifact"]["transcript"] == ""
