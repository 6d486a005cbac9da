"""Speech over a speaking assistant: nods are to be ignored, real interruptions are to be obeyed.

- nods: `backchannel_overlap` of the meetings, cut out of their one channel, so the main speaker is heard in them, too;
  and every default acknowledgement phrase in the embedded voice, for the recordings hold no other clean nods
- interruptions: `interruption` of the meetings, up to 3 s of the segment, and whole recorded sentences

The assistant's own voice is not in the sound: the echo guard is tested elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from clips import Clip, Samples, background, clip_of, cut, half_of, laid_over, plain_words
from listening import Timed
from scenes import Call, Scene, is_whole_sentence
from virtual_call import VirtualCall

from voxbus_audio import SAMPLE_RATE_HZ, resample_whole
from voxbus_contracts.events import ReplyInterrupted
from voxbus_contracts.stopping import ACKNOWLEDGEMENT_PHRASES
from voxbus_llm_orchestrator.plan import Plan

BEGINS_MS: Final = 3_000
AFTER_MS: Final = 2_500
LONGEST_MS: Final = 3_000
_NOD_WORDS: Final = "uh-huh"
"""What the position recognizer says for a backchannel of the meetings: their labels tell that it is one, not which."""
_SPEECH: Final = "I will tell you all about our opening hours, the prices and how to find us. " * 6


@dataclass(frozen=True, slots=True)
class Overlap:
    """Speech over the assistant's; `call` has one turn, which begins at BEGINS_MS."""

    source: str
    is_nod: bool
    call: Call


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the assistant was interrupted by it."""

    source: str
    is_nod: bool
    interrupted: bool

    @property
    def is_right(self) -> bool:
        return self.interrupted != self.is_nod


def overlaps_of(rows: Sequence[dict[str, Any]]) -> list[Overlap]:
    """All there are in the recordings."""
    found: list[Overlap] = []
    for row in rows:
        if row["kind"] == "conversation" and row["lang"] == "en":
            found += _of_meeting(clip_of(row))
        elif row["kind"] == "utt" and is_whole_sentence(row) and row["vad_silero"]:
            clip = clip_of(row)
            words = [word.text for word in clip.words]
            found.append(_overlap("utterance", False, clip, (clip.start_ms, clip.end_ms), words))
    return found


def _of_meeting(clip: Clip) -> Iterable[Overlap]:
    segments = [(round(a * 1_000), round(b * 1_000), who) for a, b, who in clip.labels.get("segments", ())]
    for event in clip.labels.get("events", ()):
        start_ms = round(event["t"] * 1_000)
        if event["type"] == "backchannel_overlap":
            stop_ms = round(event["end"] * 1_000)
            yield _overlap("meeting: backchannel", True, clip, (start_ms, stop_ms), plain_words(_NOD_WORDS))
        elif event["type"] == "interruption":
            own = [b for a, b, who in segments if who == event["speaker"] and a <= start_ms + 20 and b > start_ms]
            stop_ms = min(max(own, default=start_ms + LONGEST_MS), start_ms + LONGEST_MS)
            words = ["word"] * max(1, (stop_ms - start_ms) // 400)
            yield _overlap("meeting: interruption", False, clip, (start_ms, stop_ms), words)


def spoken_nods() -> list[Overlap]:
    """The default acknowledgement phrases in the embedded voice, said as an answer would be."""
    from voxbus_tts_worker.providers.espeak_child import Espeak
    from voxbus_tts_worker.providers.voice_child import Ask

    voice, nods = Espeak(), list[Overlap]()
    for phrase in ACKNOWLEDGEMENT_PHRASES:
        pieces: list[bytes] = []
        rates: list[int] = []

        def keep(pcm: bytes, rate_hz: int, pieces: list[bytes] = pieces, rates: list[int] = rates) -> bool:
            pieces.append(pcm)
            rates.append(rate_hz)
            return True

        voice.speak(Ask(text=phrase, voice_id="", speed=1.0), keep)
        pcm = resample_whole(b"".join(pieces), rates[0], SAMPLE_RATE_HZ)
        samples = np.frombuffer(pcm, np.int16)
        clip = Clip(f"nod-{phrase}", "tts", "espeak", samples, ((0, len(samples) // 16),), (), {})
        nods.append(_overlap("embedded voice: phrase", True, clip, (0, len(samples) // 16), plain_words(phrase)))
    return nods


def _overlap(source: str, is_nod: bool, clip: Clip, span: tuple[int, int], texts: list[str]) -> Overlap:
    rng = np.random.default_rng(list(clip.name.encode()))
    start_ms, stop_ms = span
    spoken = cut(clip.samples, start_ms, stop_ms)
    parts: list[Samples] = [background(clip.samples, BEGINS_MS, rng), spoken]
    length_ms = BEGINS_MS + len(spoken) // 16 + AFTER_MS
    parts.append(background(clip.samples, AFTER_MS + 40, rng))
    samples = np.concatenate(parts)[: length_ms // 20 * 20 * 16]
    words = laid_over(texts, [(BEGINS_MS, BEGINS_MS + stop_ms - start_ms)])
    name = f"{clip.name}-{source}-{start_ms}"
    scene = Scene(name, source, half_of(clip.name), clip.speaker, samples, words, (), BEGINS_MS + stop_ms - start_ms)
    return Overlap(source, is_nod, Call(name, scene.half, samples, ((0, scene),)))


def judged(overlap: Overlap, events: Sequence[Timed]) -> Verdict:
    """Runs the call: the assistant talks from the beginning, longer than the caller does."""
    plan = Plan(first_message=_SPEECH, first_message_interruptible=True, wait_ms=0)
    virtual = VirtualCall(plan)
    virtual.attach()
    for at_ms, producer, event in events:
        virtual.happens(at_ms, producer, event)
    virtual.run(len(overlap.call.samples) // 16)
    return Verdict(overlap.source, overlap.is_nod, bool(virtual.said(ReplyInterrupted)))
