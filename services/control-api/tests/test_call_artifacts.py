"""Recordings, logs and what is left of deleted calls, over HTTP; `server` is in conftest.py."""

import gzip
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_contracts import CallRef, Envelope
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import CallEnded, CallStarted, RecordingStored, ReplyFinished, TurnCommitted
from voxbus_contracts.events.record import RecordedFile
from voxbus_control_api.calls.erasing import LONGEST_CALL_MS
from voxbus_control_api.ranges import asked_range
from voxbus_objects import keys
from voxbus_runtime.sequencing import LoggedMessage

ENDED = CallEnded(pts_ms=900, reason="customer-ended-call")
TRACKS = ("mono", "stereo", "customer", "assistant")
NO_KEY = {"authorization": ""}


async def recorded(server: Any, **assistant: Any) -> dict[str, Any]:
    """A call that has ended, with four small files."""
    call = await server.call(assistant=assistant)
    ref = CallRef(server.org, call["id"])
    files: list[RecordedFile] = []
    for track in TRACKS:
        key = keys.recording(ref, track, "wav")
        await server.objects.put(key, f"sound of {track}".encode())
        files.append(RecordedFile(track=track, key=key, format="wav", size_bytes=9))
    stored = RecordingStored(files=tuple(files), start_pts_ms=0, duration_ms=900, missing_ms=0)
    await server.happened(call["id"], CallStarted(pts_ms=0, setup_ms=1), ENDED, stored)
    return (await server.client.get(f"/call/{call['id']}")).json()


@pytest.mark.parametrize("track", TRACKS)
async def test_a_recording_is_found_at_an_address_that_needs_no_header(server: Any, track: str) -> None:
    call = await recorded(server)
    found = await server.client.get(f"/call/{call['id']}/{track}-recording")
    assert (found.status_code, found.content) == (302, b"")
    sound = await server.client.get(found.headers["location"], headers=NO_KEY)
    assert (sound.status_code, sound.text) == (200, f"sound of {track}")
    assert sound.headers["content-type"] == "audio/wav"
    part = await server.client.get(found.headers["location"], headers={**NO_KEY, "range": "bytes=6-7"})
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "of", f"bytes 6-7/{9 + len(track)}")


async def test_the_record_names_its_recordings_for_good_and_for_an_hour(server: Any) -> None:
    call = await recorded(server)
    artifact, at = call["artifact"], f"http://api:8080/call/{call['id']}"
    assert artifact["recordingUrl"] == artifact["recording"]["mono"]["combinedUrl"] == f"{at}/mono-recording"
    assert artifact["stereoRecordingUrl"] == artifact["recording"]["stereoUrl"] == f"{at}/stereo-recording"
    assert artifact["recording"]["mono"]["customerUrl"] == f"{at}/customer-recording"
    assert artifact["recording"]["mono"]["assistantUrl"] == f"{at}/assistant-recording"
    assert artifact["logUrl"] == f"{at}/call-logs"
    assert artifact["presignedUrlsExpiresAt"] == "2023-11-14T23:13:20.000Z"
    assert "voxbusFiles" not in artifact
    opened = [artifact[f"presigned{name}Url"] for name in ("Mono", "Stereo", "Customer", "Assistant")]
    for track, url in zip(TRACKS, opened, strict=True):
        assert (await server.client.get(url, headers=NO_KEY)).text == f"sound of {track}"
    listed = (await server.client.get("/call")).json()[0]
    assert listed["artifact"]["recording"] == artifact["recording"]


async def test_an_address_ends_and_cannot_be_bent(server: Any) -> None:
    call = await recorded(server)
    url = httpx.URL(call["artifact"]["presignedMonoUrl"])
    bent = [
        url.copy_with(path=url.path.replace("mono", "stereo")),
        url.copy_set_param("expires", str(int(url.params["expires"]) + 1)),
        url.copy_set_param("signature", "0" * 64),
        url.copy_remove_param("signature"),
        url.copy_set_param("expires", "soon"),
    ]
    for each in bent:
        assert (await server.client.get(each, headers=NO_KEY)).status_code == 403
    server.clock["ms"] += 3_600_000
    over = await server.client.get(url, headers=NO_KEY)
    assert (over.status_code, over.json()["error"]) == (403, "Forbidden")


async def test_what_is_not_there_is_said_in_plain_words(server: Any) -> None:
    running = await server.call()
    off = await server.call(assistant={"artifactPlan": {"recordingEnabled": False, "loggingEnabled": False}})
    private = await server.call(assistant={"compliancePlan": {"hipaaEnabled": True}})
    told = {
        (running["id"], "mono-recording"): "the recording is made when the call has ended",
        (running["id"], "call-logs"): "the logs are made when the call has ended",
        (running["id"], "video-recording"): "there is no video recording of this call",
        (running["id"], "pcap"): "there is no packet capture of this call",
        (off["id"], "mono-recording"): "this call was not recorded",
        (off["id"], "call-logs"): "this call was not logged",
        (private["id"], "stereo-recording"): "this call was not recorded",
        (private["id"], "call-logs"): "this call was not logged",
        ("nobody", "mono-recording"): "there is no call nobody",
    }
    for (call_id, what), message in told.items():
        answer = await server.client.get(f"/call/{call_id}/{what}")
        assert answer.status_code == 404
        assert answer.json()["message"].startswith(message)
    await server.happened(running["id"], ENDED)
    never = await server.client.get(f"/call/{running['id']}/mono-recording")
    assert (never.status_code, never.json()["message"]) == (404, "there is no recording of this call")
    call = await recorded(server)
    for what in ("mono-recording", "call-logs"):
        assert (await server.client.get(f"/call/{call['id']}/{what}", headers=server.theirs)).status_code == 404
    await server.objects.delete_prefix(keys.call_prefix(CallRef(server.org, call["id"])))
    gone = await server.client.get(call["artifact"]["presignedMonoUrl"], headers=NO_KEY)
    assert (gone.status_code, gone.json()["message"]) == (404, "there is no such object any more")


def logged(seq: int, message: Any, kind: Any = "event") -> LoggedMessage:
    envelope = Envelope(f"e{seq}", message.schema_id(), 1_000 + seq, "llm-1", "llm-orchestrator", 1, seq)
    return LoggedMessage(envelope, kind, message.name(), message.payload(), stream_seq=seq)


async def lines(server: Any, call: dict[str, Any]) -> list[dict[str, Any]]:
    found = await server.client.get(f"/call/{call['id']}/call-logs")
    assert found.status_code == 302, found.text
    got = await server.client.get(found.headers["location"], headers=NO_KEY)
    assert (got.status_code, got.headers["content-type"]) == (200, "application/gzip")
    return [json.loads(line) for line in gzip.decompress(got.content).decode().splitlines()]


SAY = SaySentence(utterance_seq=1, reply=1, turn=1, text="Soon.")
TURN = TurnCommitted(turn=1, text="when", transcript_seqs=(), anchor_pts_ms=9, pts_ms=9, reason="silence")


async def test_the_logs_are_those_of_the_archive_else_of_the_stream_else_of_the_record(server: Any) -> None:
    call = await server.call()
    said = ReplyFinished(reply=1, turn=1, heard="Soon.", pts_ms=800)
    await server.happened(call["id"], CallStarted(pts_ms=0, setup_ms=41), said, ENDED)
    of_record = await lines(server, call)
    assert [line["attributes"]["event"] for line in of_record] == [
        "call.inProgress",
        "call.assistantStarted",
        "call.ended",
    ]
    assert of_record[0] == {"time": of_record[0]["time"], "attributes": {"event": "call.inProgress", "latency": 41}}
    server.bus.log = [logged(20, TURN), logged(21, SAY, "command")]
    assert {"assistant.voice.textPushed", "pipeline.turnStarted", "call.ended"} <= {
        line["attributes"]["event"] for line in await lines(server, call)
    }
    server.bus.away = True
    assert await lines(server, call) == of_record
    ref = CallRef(server.org, call["id"])
    kept = ArchivedMessage(SAY.subject(ref), server.bus.log[1].envelope.headers(), SAY.payload(), 21, 1)
    await server.objects.put(keys.archive(ref), serialize_archive(CallArchive(ref, (kept,))))
    texts = [line["attributes"].get("text") for line in await lines(server, call)]
    assert "Soon." in texts
    await server.objects.put(keys.archive(ref), b"no archive at all")
    assert await lines(server, call) == of_record, "a broken archive is not the end"


async def test_artifacts_of_a_deleted_call_go_once_it_has_ended(server: Any) -> None:
    call, running = await recorded(server), await server.call()
    server.bus.claimed = True
    for each in (call, running):
        assert (await server.client.delete(f"/call/{each['id']}")).status_code == 200
    await server.eraser.look()
    await server.eraser.look()
    assert server.bus.deleted == [CallRef(server.org, call["id"])]
    server.bus.over.add(CallRef(server.org, running["id"]))
    await server.eraser.look()
    await server.eraser.look()
    assert [ref.call for ref in server.bus.deleted] == [call["id"], running["id"]]
    assert (await server.client.get(f"/call/{call['id']}/mono-recording")).status_code == 404


async def test_a_deleted_call_whose_end_nobody_knows_is_erased_when_it_must_be_over(server: Any) -> None:
    call = await server.call()
    server.bus.claimed = True
    await server.client.delete(f"/call/{call['id']}")
    server.clock["ms"] += LONGEST_CALL_MS
    await server.eraser.look()
    assert server.bus.deleted == []
    server.clock["ms"] += 1
    await server.eraser.look()
    assert [ref.call for ref in server.bus.deleted] == [call["id"]]


@given(st.integers(0, 200), st.none() | st.integers(0, 300), st.none() | st.integers(0, 300))
def test_a_part_is_never_outside_the_file_nor_empty(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    part = asked_range(header, size)
    if part is not None:
        start, length = part
        assert length > 0
        assert 0 <= start <= start + length <= size
        if first is not None:
            assert start == first
        elif last is not None:
            assert start + length == size


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "items=0-1", "bytes=-", "bytes=9-3", ""])
def test_what_is_no_single_part_asks_for_the_whole(header: str) -> None:
    assert asked_range(header, 100) is None
