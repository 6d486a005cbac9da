"""`python -m voxbus_tts_worker.providers.espeak_child`: the only process that loads eSpeak NG (GPL-3).

The library keeps the phase of its voice's flutter from sentence to sentence, so the same text never sounds the same
twice. It is therefore unloaded and loaded again after each: 1 ms, while nobody waits.
"""

import _ctypes
import ctypes
import re
from typing import Any, Final

from espeakng_loader import get_data_path, get_library_path

from voxbus_providers.errors import ProviderMissing, ProviderRejected, ProviderUnavailable
from voxbus_tts_worker.providers.voice_child import Give, run
from voxbus_tts_worker.providers.voice_wire import Ask, Marks

_NAME: Final = "espeak-ng"
_USUAL_VOICE: Final = "en-us"
_USUAL_WPM: Final = 175
_WPM_RANGE: Final = (80, 450)
_SYNCHRONOUS: Final = 2
_CHUNK_MS: Final = 40
_RATE_PARAMETER: Final = 1
_POSITION_BY_CHARACTER: Final = 1
_UTF8: Final = 1
_LIST_ENDS, _WORD = 0, 1
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_VOICE_NAME: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}")


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; `position` counts from 1."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library, in the state in which it is loaded."""

    def __init__(self) -> None:
        self._callback = _Callback(self._on_sound)
        self._give: Give = lambda _pcm, _rate_hz: False
        self._marks: Marks = []
        self._rate_hz = 0
        self._library: Any = None
        self._load()

    def speak(self, ask: Ask, give: Give) -> Marks:
        self._choose(ask)
        self._give, self._marks = give, []
        # Every character keeps its place: the marks are positions.
        text = _CONTROL.sub(" ", ask.text).encode()
        result = self._library.espeak_Synth(
            text, ctypes.c_size_t(len(text) + 1), 0, _POSITION_BY_CHARACTER, 0, _UTF8, None, None
        )
        if result != 0:
            raise ProviderUnavailable(_NAME, f"the synthesis failed with code {result}")
        return self._marks

    def rest(self) -> None:
        self._library.espeak_Terminate()
        handle, self._library = self._library._handle, None
        _ctypes.dlclose(handle)
        self._load()

    def _load(self) -> None:
        try:
            library = ctypes.CDLL(get_library_path())
        except OSError as problem:
            raise ProviderMissing(_NAME, f"its library cannot be loaded: {problem}") from problem
        data_path = str(get_data_path()).encode()
        self._rate_hz = library.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, data_path, 0)
        if self._rate_hz <= 0:
            raise ProviderMissing(_NAME, "its data cannot be loaded")
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_SetVoiceByName(_USUAL_VOICE.encode())
        self._library = library

    def _choose(self, ask: Ask) -> None:
        voice = ask.voice_id or _USUAL_VOICE
        is_name = _VOICE_NAME.fullmatch(voice) is not None
        if voice != _USUAL_VOICE and not (is_name and self._library.espeak_SetVoiceByName(voice.encode()) == 0):
            raise ProviderRejected(_NAME, "there is no such voice; `espeak-ng --voices` lists them")
        slowest, fastest = _WPM_RANGE
        wpm = min(max(round(_USUAL_WPM * ask.speed), slowest), fastest)
        self._library.espeak_SetParameter(_RATE_PARAMETER, wpm, 0)

    def _on_sound(self, samples: int | None, count: int, events: Any) -> int:
        """Called by the library with each piece; 1 stops it."""
        at = 0
        while events[at].type != _LIST_ENDS:
            if events[at].type == _WORD:
                self._marks.append((events[at].position - 1, 1_000 * events[at].sample / self._rate_hz))
            at += 1
        if not samples or count <= 0:
            return 0
        return 0 if self._give(ctypes.string_at(samples, 2 * count), self._rate_hz) else 1


if __name__ == "__main__":
    run(Espeak)
