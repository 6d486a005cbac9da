"""What goes through the pipe between the tts-worker and a voice's child."""

import json
from dataclasses import dataclass
from enum import IntEnum

from voxbus_providers.pipe import PipeKind


class Kind(IntEnum):
    """Towards the child: one SPEAK per exchange; back: AUDIO*, DONE. AUDIO is mono s16le 16 kHz, any length."""

    SPEAK = PipeKind.FIRST_FREE
    AUDIO = 17
    DONE = 18


@dataclass(frozen=True, slots=True)
class Ask:
    """Body of SPEAK; an empty `voice_id` is the engine's usual voice."""

    text: str
    voice_id: str
    speed: float

    def packed(self) -> bytes:
        return json.dumps([self.text, self.voice_id, self.speed]).encode()

    @classmethod
    def of(cls, body: bytes) -> "Ask":
        text, voice_id, speed = json.loads(body)
        return cls(text, voice_id, speed)


Marks = list[tuple[int, float]]
"""(position in the text in characters from 0, ms from the first sample)"""


def packed_marks(marks: Marks) -> bytes:
    """Body of DONE."""
    return json.dumps(marks).encode()


def marks_of(body: bytes) -> Marks:
    return [(int(position), float(at_ms)) for position, at_ms in json.loads(body)]
