"""Reads from the bus where a new attachment has to begin."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from voxbus_audio import FRAME_MS
from voxbus_contracts.events import MediaAttached
from voxbus_contracts.streams import AUDIO, EVENTS
from voxbus_media_ingress.past import Past, continued_pts_ms, fold
from voxbus_proto.media.v1.media_pb2 import AudioFrame
from voxbus_runtime.audio_frames import frames_of
from voxbus_runtime.errors import NotStored
from voxbus_runtime.fence import Fence
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.stream_reader import last, read, stored_at

MOVED_WITHIN_MS: Final = 1_000
"""A caller who is moved is back after some 0.1 s."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where the audio clock and the playout start."""

    past: Past
    pts_ms: int
    played_frames: int
    """Frames of the utterance that sounded last (past.done_seq + 1) that left already."""
    heard_upto_ms: int | None = None
    """Where the caller's last frame ended; None = nobody knows."""

    @property
    def is_resumed(self) -> bool:
        return self.past.attachments > 0

    @property
    def pause_pts_ms(self) -> range:
        """Frames of the moment in which a transport moved; none after a longer absence, which is a hole.

        They are said as silence: readers ask the stream for what is missing, and wait for it.
        """
        upto_ms = self.heard_upto_ms
        if upto_ms is None or self.pts_ms - upto_ms > MOVED_WITHIN_MS:
            return range(0)
        return range(upto_ms, self.pts_ms, FRAME_MS)


async def read_opening(call: OwnedCall, arrived_unix_ms: float) -> Opening:
    """Folds the log; for a transport that came back, asks the streams how far the clock and the playout were.

    `arrived_unix_ms`: since when the transport has been there, by this machine's clock.
    """
    past = fold(logged.message for logged in call.history)
    if not past.attachments:
        return Opening(past, 0, 0)
    pts_ms, heard_upto_ms = await _continued_pts_ms(call, arrived_unix_ms)
    return Opening(past, pts_ms, await _played_frames(call, past), heard_upto_ms)


async def _continued_pts_ms(call: OwnedCall, arrived_unix_ms: float) -> tuple[int, int | None]:
    """From the server's clock at the last caller frame (or attachment) to its clock at our own claim a moment ago, less
    what we needed until we said it: the caller has been speaking since the transport was there.

    Second: where that frame ended.
    """
    nc, ref = call.bus.nc, call.ref
    claimed = await stored_at(nc, EVENTS.name, call.claim_seq)
    now_ms = claimed.stored_at_ms - max(0.0, call.claimed_unix_ms - arrived_unix_ms) if claimed is not None else 0.0
    frame = await last(nc, AUDIO.name, ref.audio("caller"))
    if frame is not None:
        last_pts_ms = AudioFrame.FromString(frame.data).pts_ms
        return continued_pts_ms(last_pts_ms, frame.stored_at_ms, now_ms), last_pts_ms + FRAME_MS
    # The stream of audio lives in memory: after a restart of the bus only the log knows.
    attached = await last(nc, EVENTS.name, ref.event("media", "attached"))
    if attached is None:
        raise NotStored(f"neither audio nor an attachment of {ref} is in the streams")
    earlier = MediaAttached.model_validate_json(attached.data)
    return continued_pts_ms(earlier.pts_ms, attached.stored_at_ms, now_ms), None


async def _played_frames(call: OwnedCall, past: Past) -> int:
    """What the frames themselves say; never less than the reports did."""
    reported = past.sounding_played_ms // FRAME_MS
    if not reported:
        return 0
    frames = await call.replay_audio("played", past.sounding_pts_ms)
    return max(reported, sum(1 for frame in frames if frame.utterance_seq == past.done_seq + 1))


async def stored_agent_frames(call: OwnedCall) -> AsyncIterator[AudioFrame]:
    """All agent frames the stream has (120 s at most), fenced by the stream's own order: what an earlier voice worker
    published before it was replaced still counts."""
    fence = Fence()
    async for stored in read(call.bus.nc, AUDIO.name, call.ref.audio("agent")):
        for frame in frames_of(stored.data):
            if fence.accepts("tts-worker", frame.epoch):
                yield frame
