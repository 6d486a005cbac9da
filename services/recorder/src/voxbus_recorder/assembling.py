"""The finished files of a recording, made cell by cell so that an hour never lies in memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from voxbus_audio import FRAME_SAMPLES, Mp3Encoder, wav_header
from voxbus_contracts import CallRef
from voxbus_contracts.artifact import RecordingFormat
from voxbus_contracts.events import RecordedFile
from voxbus_objects import ObjectStore, keys
from voxbus_objects.keys import TRACKS, Track
from voxbus_recorder.mixing import CHANNELS, track_samples
from voxbus_recorder.shelf import Shelf
from voxbus_recorder.span import Span


async def assemble(
    store: ObjectStore, ref: CallRef, shelf: Shelf, span: Span, wanted: RecordingFormat
) -> tuple[RecordedFile, ...]:
    """Writes every track; the same segments make the same files. Raises ObjectFault."""
    ending: Literal["wav", "mp3"] = "mp3" if wanted == "mp3" else "wav"
    make = _mp3 if ending == "mp3" else _wav
    files: list[RecordedFile] = []
    for track in TRACKS:
        key = keys.recording(ref, track, ending)
        await store.put_stream(key, make(shelf, span, track))
        size_bytes = (await store.head(key)).size_bytes
        files.append(RecordedFile(track=track, key=key, format=ending, size_bytes=size_bytes))
    return tuple(files)


async def _wav(shelf: Shelf, span: Span, track: Track) -> AsyncIterator[bytes]:
    yield wav_header((span.end - span.start) * FRAME_SAMPLES, CHANNELS[track])
    async for segment in shelf.cells(span.start, span.end):
        yield track_samples(segment, track, span.start, span.end).tobytes()


async def _mp3(shelf: Shelf, span: Span, track: Track) -> AsyncIterator[bytes]:
    encoder = Mp3Encoder(CHANNELS[track])
    async for segment in shelf.cells(span.start, span.end):
        samples = track_samples(segment, track, span.start, span.end)
        if made := await asyncio.to_thread(encoder.push, samples):
            yield made
    yield await asyncio.to_thread(encoder.finish)
