"""What is left of a call: a whole recording although the recorder was killed, an archive; of a private one nothing."""

import asyncio
import io
import signal
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_archive import parse_archive
from voxbus_audio import sine
from voxbus_objects import open_store
from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

PHRASES = {False: "seven purple walruses dancing", True: "nine yellow pelicans singing"}
"""What the caller says, private or not: calls of one stack share their files, so the words must differ.

The labels of the recognizer name each word alone; only what was heard has them in a row.
"""


async def recorded(stack: Stack, watch: BusWatch, call: str) -> dict[str, Any]:
    (stored,) = await watch.until(call, "recording.stored", timeout_s=30)
    return stored


def stereo_of(stack: Stack, stored: dict[str, Any]) -> np.ndarray[Any, Any]:
    (file,) = [each for each in stored["files"] if each["track"] == "stereo"]
    content = (stack.data_dir / "objects" / file["key"]).read_bytes()
    with wave.open(io.BytesIO(content)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)


async def test_a_recording_is_whole_although_its_recorder_was_killed_twice(stack: Stack, watch: BusWatch) -> None:
    answer = "Here is a long answer that goes on for a while, so that there is something to record on both sides."
    pcm, _, labels = speech_at("tell me")
    beeps = b"".join(sine(440, 200) + bytes(2 * 16_000 * 8 // 10) for _ in range(12))
    assistant = hearing(scripted({"when": "tell", "say": answer}, firstMessage="Hello."), labels)
    async with calling(stack.api, stack.key, assistant) as caller:
        caller.say(pcm + beeps)
        for at_ms in (4_000, 9_000):
            await caller.until(lambda at=at_ms: caller.clock_ms > at, 20, "the next moment to kill")
            stack.signal("recorder", signal.SIGKILL)
        await caller.until(lambda: caller.clock_ms > 13_000, 20, "the end")
        await caller.hang_up()
        await caller.ended_record()
    stored = await recorded(stack, watch, caller.call_id)
    assert stored["missing_ms"] == 0
    assert stored["duration_ms"] > 12_000
    samples = stereo_of(stack, stored)
    # The caller's line began a moment before the call was answered; from there on it is what was sent, to the sample.
    sent = np.frombuffer(pcm + beeps, "<i2")
    left = samples[:, 0]
    onset, wanted = first_loud(left), first_loud(sent)
    shift = onset - wanted
    same = min(len(left), len(sent) + shift)
    differing = np.flatnonzero(left[onset:same] != sent[wanted : same - shift])
    assert len(differing) < 0.02 * (same - onset), "what was sent is what is recorded"
    assert len(left) / 16 == stored["duration_ms"]


def first_loud(samples: np.ndarray[Any, Any]) -> int:
    return int(np.flatnonzero(np.abs(samples.astype(int)) > 500)[0])


async def test_what_was_played_is_recorded_where_it_was_heard_with_a_barge_in(stack: Stack, watch: BusWatch) -> None:
    answer = "This answer is a long one and it goes on and on until somebody has had enough of it and says so."
    first, _, labels = speech_at("tell me everything")
    second, _, more = speech_at("stop it please", 5_000)
    rules = ({"when": "everything", "say": answer}, {"when": "stop", "say": "As you wish."})
    async with calling(stack.api, stack.key, hearing(scripted(*rules), labels + more)) as caller:
        caller.say(first + second[len(first) :])
        await watch.until(caller.call_id, "reply.interrupted", timeout_s=20)
        await watch.until(caller.call_id, "reply.finished", timeout_s=20)
        await caller.hang_up()
        await caller.ended_record()
    stored = await recorded(stack, watch, caller.call_id)
    right = stereo_of(stack, stored)[:, 1]
    cleared = (await watch.payloads(caller.call_id, "playback.cleared"))[0]
    again = next(
        each for each in await watch.payloads(caller.call_id, "playback.started") if each["pts_ms"] > cleared["pts_ms"]
    )
    begin = (cleared["pts_ms"] + 40 - stored["start_pts_ms"]) * 16
    end = (again["pts_ms"] - 20 - stored["start_pts_ms"]) * 16
    assert end > begin
    assert not right[begin:end].any(), "what was cleared was not played, so it is not recorded"
    assert np.abs(right[end : end + 16_000].astype(int)).max() > 500


@pytest.mark.parametrize("private", [False, True])
async def test_of_a_private_call_nothing_that_was_said_is_on_any_disk(
    stack: Stack, watch: BusWatch, private: bool
) -> None:
    """The same call without privacy shows that the search finds what is there."""
    phrase = PHRASES[private]
    said = " ".join(phrase.split()[1:3])
    pcm, speech, labels = speech_at(phrase, 1_500)
    echoing = {"when": "(?P<what>.+)", "say": "Did you say {{what}} to me?"}
    fields: dict[str, Any] = {"compliancePlan": {"hipaaEnabled": True}} if private else {}
    async with calling(stack.api, stack.key, hearing(scripted(echoing, **fields), labels)) as caller:
        caller.say(pcm)
        await caller.until(lambda: caller.clock_ms > 1_500 + speech.length_ms // 2, 10, "half of the sentence")
        stack.signal("llm-orchestrator", signal.SIGKILL)
        await watch.until(caller.call_id, "reply.finished", timeout_s=30)
        heard = [message.get("transcript", "") for message in caller.messages("transcript")]
        assert phrase in heard, "the caller's own line still carries what was understood"
        await caller.hang_up()
        record = await caller.ended_record()
    assert record["endedReason"] == "customer-ended-call"
    await watch.until(caller.call_id, "archive.stored", timeout_s=30)
    if not private:
        await watch.until(caller.call_id, "recording.stored", timeout_s=30)
    await asyncio.sleep(1)
    found = holding(stack.data_dir, caller.call_id, said)
    if private:
        assert found == []
        assert said not in str(record)
        assert not list((stack.data_dir / "objects").rglob(f"{caller.call_id}/recording/*"))
    else:
        assert any("nats" in name for name in found), found
        assert any(".db" in name for name in found), found
        assert any("archive" in name for name in found), found
        assert said in str(record)


def holding(folder: Path, call: str, text: str) -> list[str]:
    """Files with `text` that came into being with this call; archives are unpacked."""
    found: list[str] = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.name.endswith(".zst"):
            archive = parse_archive(content)
            content = b"\n".join(message.payload for message in archive.messages) if archive.ref.call == call else b""
        if text.encode() in content and (call.encode() in content or path.name.endswith(".zst")):
            found.append(str(path.relative_to(folder)))
    return found


async def test_the_archive_is_in_the_store_under_its_own_name(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("goodbye then")
    rule = {"when": "goodbye", "say": "Goodbye.", "endCall": True}
    async with calling(stack.api, stack.key, hearing(scripted(rule), labels)) as caller:
        caller.say(pcm)
        await caller.ended_record(20)
    (stored,) = (await watch.until(caller.call_id, "archive.stored", timeout_s=30))[:1]
    store = open_store(str(stack.data_dir / "objects"))
    archive = parse_archive(await store.get(stored["key"]))
    names = [message.name for message in archive.messages]
    assert len(names) == stored["messages"]
    assert {"call.queued", "call.started", "transcript.final", "speech.say", "call.ended"} <= set(names)
