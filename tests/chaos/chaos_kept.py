"""What is kept of a call that is over: asked for until it is complete."""

import asyncio
import contextlib
import io
import json
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from bus_watch import BusWatch
from chaos_judge import Kept, losses_of
from chaos_talk import Talk

COMPLETE_WITHIN_S: Final = 120.0
"""What failed is tried again after at most 30 s, and a recording is made again when late segments came."""
_LOOK_EVERY_S: Final = 1.0
_TRACKS: Final = {"customer": "presignedCustomerUrl", "assistant": "presignedAssistantUrl"}


@dataclass(frozen=True, slots=True)
class Archive:
    """Where to ask for what is kept."""

    api: str
    key: str
    watch: BusWatch


async def losses(talk: Talk, call_id: str, heard: Sequence[tuple[float, bytes]], archive: Archive) -> list[str]:
    """What the call's records still lack when there was time enough. `heard`: the caller's sound, as in Evidence."""
    until_s = time.monotonic() + COMPLETE_WITHIN_S
    headers = {"authorization": f"Bearer {archive.key}"}
    async with httpx.AsyncClient(base_url=archive.api, headers=headers, timeout=20, trust_env=False) as http:
        while True:
            found = losses_of(talk, await _kept(http, call_id, archive.watch), heard)
            if not found or time.monotonic() > until_s:
                return found
            await asyncio.sleep(_LOOK_EVERY_S)


async def _kept(http: httpx.AsyncClient, call_id: str, watch: BusWatch) -> Kept:
    log = await watch.log(call_id)
    last: dict[str, dict[str, Any]] = {message.name: json.loads(message.payload) for message in log}
    ended_at = max((message.stream_seq for message in log if message.name == "call.ended"), default=0)
    record: dict[str, Any] = {}
    tracks: dict[str, bytes] = {}
    with contextlib.suppress(httpx.HTTPError):
        record = (await http.get(f"/call/{call_id}")).json()
        if "recording.stored" in last:
            tracks = {name: await _pcm(record, field) for name, field in _TRACKS.items()}
    archived_upto = int(last.get("archive.stored", {}).get("last_stream_seq", 0))
    costs = tuple(str(row["type"]) for row in record.get("costs") or ())
    return Kept(last.get("recording.stored"), tracks, archived_upto, ended_at, costs)


async def _pcm(record: dict[str, Any], field: str) -> bytes:
    """The track at a record's address; nothing where it is not there yet."""
    address = (record.get("artifact") or {}).get(field)
    if not address:
        return b""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as anybody:
        answer = await anybody.get(address)
    if answer.status_code != 200:
        return b""
    with wave.open(io.BytesIO(answer.content)) as sound:
        return sound.readframes(sound.getnframes())
