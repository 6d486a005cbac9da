"""`voxbus call show`: a call's log told from its archive or from the bus, for a person and for a program."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_cli.errors import CommandFailed
from voxbus_cli.follow.lines import SeenMessage, read_message
from voxbus_cli.main import build_parser, main
from voxbus_cli.records.page import readable
from voxbus_cli.records.reading import Places, find_log
from voxbus_cli.records.story import story_of
from voxbus_contracts import CallRef, Envelope, Event
from voxbus_contracts import events as e
from voxbus_objects import keys, open_store
from voxbus_testing.nats import bus_at

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
T0 = 1_763_900_000_000
VOICE = {"type": "voice", "cost": "0.3", "voice": {"model": "grand"}, "characters": 27}
LOG: Sequence[tuple[str, int, int, Event]] = (
    ("control-api", 0, 0, e.CallQueued(call_type="webCall", transport="vapi.websocket", config_hash="9f")),
    ("vad", 3, 400, e.StageClaimed(stage="vad", epoch=3, worker="vad-1", address="")),
    ("media-ingress", 1, 500, e.CallStarted(pts_ms=100, setup_ms=4)),
    ("llm-orchestrator", 2, 600, e.ReplyStarted(reply=1, turn=0, source="first-message")),
    ("llm-orchestrator", 2, 1_900, e.ReplyFinished(reply=1, turn=0, heard="Hello.", pts_ms=1_500)),
    (
        "stt-worker",
        4,
        4_000,
        e.TranscriptFinal(
            transcript_seq=1,
            text="where is it",
            start_pts_ms=2_000,
            end_pts_ms=3_400,
            speech_seq=1,
            provider="vosk",
            recognition_ms=9,
        ),
    ),
    (
        "llm-orchestrator",
        2,
        4_010,
        e.TurnCommitted(
            turn=1, text="where is it", transcript_seqs=(1,), anchor_pts_ms=3_400, pts_ms=3_600, reason="silence"
        ),
    ),
    (
        "llm-orchestrator",
        2,
        4_020,
        e.ToolRequested(tool_call_id="c1", tool_name="order_status", arguments={"order": "4711"}, reply=2, turn=1),
    ),
    (
        "tool-runner",
        0,
        4_040,
        e.ToolFinished(tool_call_id="c1", tool_name="order_status", result="Friday", duration_ms=14),
    ),
    ("vad", 5, 4_045, e.StageClaimed(stage="vad", epoch=5, worker="vad-2", address="")),
    ("vad", 3, 4_046, e.FaultRaised(code="stale", detail="said by a worker that had lost the call")),
    ("stt-worker", 4, 4_047, e.FaultRaised(code="recognizer-slow", detail="no word for 5000 ms", retryable=True)),
    ("llm-orchestrator", 2, 4_050, e.ReplyStarted(reply=2, turn=1, source="model")),
    (
        "llm-orchestrator",
        2,
        5_000,
        e.ReplyInterrupted(
            reply=2, turn=1, heard="It ships", up_to_utterance_seq=4, pts_ms=4_600, reason="caller-spoke"
        ),
    ),
    ("llm-orchestrator", 2, 5_010, e.TurnMeasured(turn=1, v2v_ms=561.0, parts={"endpointing": 500.0, "model": 61.0})),
    ("llm-orchestrator", 2, 6_500, e.CallEnded(pts_ms=6_100, reason="customer-ended-call")),
    (
        "billing",
        0,
        6_600,
        e.CostUpdated(
            version=3,
            rows=(e.CostRow.model_validate(VOICE),),
            breakdown={"wasted": "0.1"},
            total="0.3",
            ended=True,
            price_version="base@5f3a9c1e",
        ),
    ),
    (
        "recorder",
        0,
        6_650,
        e.RecordingStored(
            files=(e.RecordedFile(track="mono", key="acme/x/recording/mono.wav", format="wav", size_bytes=9),),
            start_pts_ms=0,
            duration_ms=6_000,
            missing_ms=0,
        ),
    ),
    ("billing", 0, 6_700, e.CostUpdated(version=2, rows=(), breakdown={}, total="0.1", ended=False)),
)


def archived() -> list[ArchivedMessage]:
    made: list[ArchivedMessage] = []
    for seq, (stage, epoch, at_ms, message) in enumerate(LOG, start=1):
        number = seq if epoch else 0
        envelope = Envelope(f"shown-{seq}", message.schema_id(), T0 + at_ms, f"{stage}-1", stage, epoch, number)
        made.append(ArchivedMessage(message.subject(REF), envelope.headers(), message.payload(), seq, T0 + at_ms))
    return made


def seen() -> list[SeenMessage]:
    found = [read_message(each.subject, each.headers, each.payload) for each in archived()]
    return [each for each in found if each is not None]


async def keep(folder: Path, ref: CallRef = REF) -> None:
    archive = CallArchive(REF, tuple(archived()))
    await open_store(str(folder)).put(keys.archive(ref), serialize_archive(archive))


def test_a_story_has_header_conversation_turns_tools_costs_and_faults() -> None:
    story = story_of(seen())
    assert [(each["at_ms"], each["role"], each.get("text")) for each in story["messages"]] == [
        (200, "assistant", "Hello."),
        (2_000, "user", "where is it"),
        (3_620, "tool", None),
        (3_650, "assistant", "It ships"),
    ]
    (tool,) = story["tools"]
    assert (tool["name"], tool["arguments"], tool["result"]) == ("order_status", {"order": "4711"}, "Friday")
    assert story["messages"][3]["interrupted"] == "caller-spoke"
    assert [fault["code"] for fault in story["faults"]] == ["recognizer-slow"], "the other's epoch was over"
    assert (story["cost"]["total"], story["ended_reason"]) == ("0.3", "customer-ended-call")
    assert story["turns"] == [{"turn": 1, "v2v_ms": 561.0, "parts": {"endpointing": 500.0, "model": 61.0}}]
    assert story["workers"] == {"vad": ["vad-1", "vad-2"]}


def test_what_was_logged_twice_is_told_once() -> None:
    assert story_of([*seen(), *seen()]) == story_of(seen())


def test_the_page_says_all_of_it() -> None:
    page = readable({"call": REF.call, "org": REF.org, "source": "its archive", **story_of(seen())})
    for line in (
        "ended after 6.0 s: customer-ended-call",
        "   2.00 s  Caller: where is it",
        '   3.62 s  Tool: order_status({"order": "4711"}) → Friday (14 ms)',
        "   3.65 s  Agent: It ships — (caller-spoke)",
        "turn 1: answered after 561 ms",
        "cost 0.3 USD at prices base@5f3a9c1e, of which 0.1 for answers nobody got",
        "fault    3.65 s  stt-worker: recognizer-slow: no word for 5000 ms",
        "recording of 6.0 s: acme/x/recording/mono.wav",
        "vad was taken over: vad-1 → vad-2",
    ):
        assert line in page, page
    assert "cost voice grand characters=27" in page


def test_an_empty_log_and_a_running_call_have_a_page_too() -> None:
    assert "not over yet" in readable({"call": REF.call, "org": REF.org, "source": "x", **story_of([])})
    assert "not over yet" in readable({"call": REF.call, "org": REF.org, "source": "x", **story_of(seen()[:9])})


@pytest.mark.parametrize("org", [None, "acme"])
def test_the_command_shows_an_archive_of_this_machine(
    org: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOXBUS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("VOXBUS_NATS_URL", raising=False)
    asyncio.run(keep(tmp_path / "objects"))
    assert main(["call", "show", REF.call, "--json", *(["--org", org] if org else [])]) == 0
    story = json.loads(capsys.readouterr().out)
    assert (story["org"], story["source"], len(story["messages"])) == ("acme", "its archive", 4)


def test_a_call_that_is_kept_nowhere_is_said_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOXBUS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("VOXBUS_NATS_URL", raising=False)
    assert main(["call", "show", REF.call]) == 1
    assert f"nothing is kept of call {REF.call}" in capsys.readouterr().err
    assert not (tmp_path / "objects").exists()
    assert main(["call", "show", "a.b"]) == 2


async def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    await store.put(keys.archive(REF), b"nothing of the kind")
    with pytest.raises(CommandFailed, match=r"log\.jsonl\.zst is broken"):
        await find_log(REF.call, None, Places(str(tmp_path), ""))


@pytest.mark.integration
async def test_a_call_without_an_archive_is_told_from_the_bus(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus:
        for each in archived():
            await bus.outbox.stored(each.subject, each.payload, dict(each.headers), 5.0)
    log = await find_log(REF.call, None, Places(str(tmp_path / "none"), nats_url))
    assert (log.ref, log.source) == (REF, "the live log")
    assert story_of(log.messages) == story_of(seen())
    await keep(tmp_path)
    assert (await find_log(REF.call, None, Places(str(tmp_path), nats_url))).source == "its archive"


def test_making_a_call_still_wants_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call"]) == 2
    assert "--wav" in capsys.readouterr().err
    assert build_parser().parse_args(["call", "--wav", "x"]).run == "voxbus_cli.call.command:call"


@pytest.mark.parametrize("when", ["yesterday", "24", "2026-13-01"])
def test_a_moment_that_is_none_is_refused(when: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["reconcile", "--since", when])
    assert "--since" in capsys.readouterr().err


def test_moments_are_dates_times_or_spans() -> None:
    def since(when: str) -> int:
        return int(build_parser().parse_args(["reconcile", "--since", when]).since)

    assert since("2026-11-01") == since("2026-11-01T00:00:00Z") == since("2026-11-01T01:00+01:00")
    assert since("2h") - since("24h") == pytest.approx(22 * 3_600_000, abs=5_000)
