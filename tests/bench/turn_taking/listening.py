"""What vad and recognizer say of a call's sound, and when: the real cores, in virtual time.

The recognizers: `position` says the words of the labels by the position of the sound it really was given;
`pocketsphinx` is the embedded one, its hearings kept in build/ because they take longer than everything else together.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from clips import Word
from scenes import Call

from voxbus_audio import FRAME_MS, frames
from voxbus_contracts.events import SpeechStarted, SpeechStopped, TranscriptFinal, TranscriptPartial
from voxbus_contracts.message import Event
from voxbus_providers.recognizer import HeardFrame
from voxbus_stt_worker.partials import Partial, PartialPacer
from voxbus_stt_worker.segments import Feed, Flush, Segments, Utterance
from voxbus_vad.cheap import LoneDetector
from voxbus_vad.detector import Quiet, SpeechEvent
from voxbus_vad.ending import REMEMBERED_MS, judged
from voxbus_vad.last_seconds import LastSeconds
from voxbus_vad.listening import Listener
from voxbus_vad.settings import Settings

Timed = tuple[int, str, Event]
"""When it reaches the orchestrator (ms of the audio clock), who says it, what."""

BUS_MS: Final = 5
PARTIAL_BEHIND_MS: Final = 50
FINAL_AFTER_MS: Final = 20
_SETTINGS: Final = Settings.model_construct()


class Hearer(Protocol):
    """A recognizer that answers on the spot."""

    name: str

    def hear(self, frame: HeardFrame) -> str | None:
        """The transcript so far, when it has changed."""
        ...

    def finish(self) -> str:
        """The transcript of what was heard since the last time."""
        ...


class PositionHearer:
    """Says a word when the middle of it has sounded."""

    name = "position"

    def __init__(self, words: Iterable[Word]) -> None:
        self._words = sorted(((word.start_ms + word.end_ms) // 2, word.text) for word in words)
        self._heard: list[str] = []

    def hear(self, frame: HeardFrame) -> str | None:
        new = [text for at_ms, text in self._words if frame.pts_ms <= at_ms < frame.pts_ms + FRAME_MS]
        self._heard += new
        return " ".join(self._heard) if new else None

    def finish(self) -> str:
        text, self._heard = " ".join(self._heard), []
        return text


class PocketsphinxHearer:
    """The embedded recognizer as its child process runs it, 300 ms of sound between two partials."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        from voxbus_stt_worker.providers.pocketsphinx_decoders import new_decoder

        self._decoder = new_decoder()
        self._neutral_mean: str = self._decoder.get_cmn(False)
        self._is_open = False
        self._since_ms = 0
        self._text = ""

    def new_call(self) -> None:
        self._decoder.set_cmn(self._neutral_mean)

    def hear(self, frame: HeardFrame) -> str | None:
        if not self._is_open:
            self._decoder.start_utt()
            self._is_open, self._since_ms, self._text = True, 0, ""
        self._decoder.process_raw(frame.pcm, False, False)
        self._since_ms += FRAME_MS
        if self._since_ms < 300:
            return None
        self._since_ms = 0
        before, self._text = self._text, self._hypothesis()
        return self._text if self._text != before else None

    def finish(self) -> str:
        if not self._is_open:
            return ""
        self._decoder.end_utt()
        self._is_open = False
        text = self._hypothesis()
        self._decoder.get_cmn(True)
        return text

    def _hypothesis(self) -> str:
        found = self._decoder.hyp()
        return found.hypstr.strip() if found is not None else ""


def speech_events(call: Call, *, by_prosody: bool = True) -> list[SpeechEvent]:
    """What the vad says with its default settings on a call that prepares answers in pauses."""
    events: list[SpeechEvent] = []
    ear = LoneDetector(_SETTINGS.vad_quiet_dbfs, _SETTINGS.vad_unsure_mode)
    memory = LastSeconds(REMEMBERED_MS)
    rules = replace(_SETTINGS.hysteresis, pause_ms=_SETTINGS.vad_pause_ms)
    listener = Listener(
        ear, rules, Quiet(), lambda event: events.append(judged(event, memory) if by_prosody else event)
    )
    listener.keep(memory)
    for n, pcm in enumerate(frames(call.samples.tobytes())):
        listener.hear(n * FRAME_MS, pcm, False)
    return events


def transcripts(call: Call, speech: Iterable[SpeechEvent], hearer: Hearer) -> list[Timed]:
    """What the recognizer says, fed by the stt-worker's own segmenting and paced as it paces."""
    at = {event.detected_pts_ms: event for event in speech if isinstance(event, SpeechStarted | SpeechStopped)}
    transcriber = _Transcriber(hearer)
    for n, pcm in enumerate(frames(call.samples.tobytes())):
        transcriber.hear(HeardFrame(n * FRAME_MS, pcm, False), at.get((n + 1) * FRAME_MS))
    return transcriber.said


class _Transcriber:
    """One call's recognition, frame by frame."""

    def __init__(self, hearer: Hearer) -> None:
        self.said: list[Timed] = []
        self._hearer = hearer
        self._pacer = PartialPacer()
        self._segments = Segments()
        self._segments.start_at(0)

    def hear(self, frame: HeardFrame, event: SpeechEvent | None) -> None:
        """A frame, and what the vad says at its end."""
        segments, now_ms = self._segments, frame.pts_ms + FRAME_MS
        orders = segments.on_frame(frame, now_ms)
        if isinstance(event, SpeechStarted):
            orders += segments.on_speech_started(event, now_ms)
        elif isinstance(event, SpeechStopped):
            orders += segments.on_speech_stopped(event, now_ms)
        heard_ms = now_ms + PARTIAL_BEHIND_MS
        if self._pacer.wake_at_ms is not None and heard_ms >= self._pacer.wake_at_ms:
            self._say_partial(heard_ms, self._pacer.due(heard_ms))
        for order in orders:
            match order:
                case Feed(fed):
                    self._feed(fed, heard_ms)
                case Flush(utterance):
                    self._finish(utterance, now_ms)
                case _:
                    raise AssertionError(f"not expected of sound without holes: {order}")

    def _feed(self, frame: HeardFrame, heard_ms: int) -> None:
        text, segments = self._hearer.hear(frame), self._segments
        if text:
            partial = Partial(segments.transcript_seq, text, segments.start_pts_ms, frame.pts_ms + FRAME_MS)
            self._say_partial(heard_ms, self._pacer.offer(partial, heard_ms))

    def _say_partial(self, now_ms: int, partial: Partial | None) -> None:
        if partial is not None:
            event = TranscriptPartial(
                transcript_seq=partial.transcript_seq,
                text=partial.text,
                start_pts_ms=partial.start_pts_ms,
                end_pts_ms=partial.end_pts_ms,
            )
            self.said.append((now_ms + BUS_MS, "stt-worker", event))

    def _finish(self, utterance: Utterance, now_ms: int) -> None:
        self._segments.confirm()
        self._pacer.drop()
        final = TranscriptFinal(
            transcript_seq=utterance.transcript_seq,
            text=self._hearer.finish(),
            start_pts_ms=utterance.start_pts_ms,
            end_pts_ms=utterance.end_pts_ms,
            speech_seq=utterance.speech_seq,
            provider=self._hearer.name,
            recognition_ms=FINAL_AFTER_MS,
        )
        self.said.append((now_ms + FINAL_AFTER_MS + BUS_MS, "stt-worker", final))


def timeline(speech: Iterable[SpeechEvent], said: Iterable[Timed]) -> list[Timed]:
    """Everything in the order of its arrival."""
    heard: list[Timed] = [(event.detected_pts_ms + BUS_MS, "vad", event) for event in speech]
    return sorted([*heard, *said], key=lambda timed: timed[0])


class Kept:
    """Hearings of a slow recognizer in a file per call, named by the sound and the version of what is done with it."""

    def __init__(self, folder: Path, make: Callable[[], PocketsphinxHearer]) -> None:
        self._folder = folder
        self._make = make
        self._hearer: PocketsphinxHearer | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def transcripts(self, call: Call, speech: list[SpeechEvent]) -> list[Timed]:
        stretches = [event for event in speech if isinstance(event, SpeechStarted | SpeechStopped)]
        spoken = repr([(event.pts_ms, event.detected_pts_ms) for event in stretches]).encode()
        key = hashlib.sha256(b"1" + call.samples.tobytes() + spoken).hexdigest()[:24]
        file = self._folder / f"{key}.json"
        if file.exists():
            return [(at_ms, who, _event(body)) for at_ms, who, body in json.loads(file.read_text())]
        if self._hearer is None:
            self._hearer = self._make()
        self._hearer.new_call()
        said = transcripts(call, speech, self._hearer)
        file.write_text(json.dumps([(at, who, [event.name(), event.model_dump()]) for at, who, event in said]))
        return said


def _event(body: tuple[str, dict[str, object]]) -> Event:
    name, fields = body
    return (TranscriptFinal if name == TranscriptFinal.name() else TranscriptPartial).model_validate(fields)
