"""`python -m voxbus_tts_worker.providers.flite_child`: speaks with the system's flite."""

import ctypes
import re
from typing import Any, Final

from voxbus_providers.errors import ProviderMissing, ProviderRejected, ProviderUnavailable
from voxbus_tts_worker.providers.voice_child import Give, run
from voxbus_tts_worker.providers.voice_wire import Ask, Marks

_NAME: Final = "flite"
_USUAL_VOICE: Final = "slt"
_VOICES: Final = ("slt", "rms", "awb", "kal16", "kal")
_SPEED_RANGE: Final = (0.25, 4.0)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")


class _Voice(ctypes.Structure):
    """The head of cst_voice."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class _Wave(ctypes.Structure):
    """cst_wave"""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate_hz", ctypes.c_int),
        ("count", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.c_void_p),
    )


class Flite:
    """The library and those of its voices that were asked for."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        except OSError as problem:
            raise ProviderMissing(_NAME, "libflite.so.1 is not on this system: apt install flite") from problem
        self._library.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
        self._library.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
        self._library.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
        self._library.flite_feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
        self._library.flite_init()
        self._libc = ctypes.CDLL(None)
        self._voices: dict[str, Any] = {}
        self._voice(_USUAL_VOICE)

    def speak(self, ask: Ask, give: Give) -> Marks:
        voice = self._voice(ask.voice_id or _USUAL_VOICE)
        slowest, fastest = _SPEED_RANGE
        stretch = 1 / min(max(ask.speed, slowest), fastest)
        self._library.flite_feat_set_float(voice.contents.features, b"duration_stretch", stretch)
        self._libc.srand(1)  # the voices' breath is noise
        for sentence in _SENTENCE_END.split(_CONTROL.sub(" ", ask.text)):
            pcm, rate_hz = self._spoken(sentence, voice)
            if pcm and not give(pcm, rate_hz):
                break
        return []

    def rest(self) -> None:
        """Nothing stays from one sentence to the next."""

    def _spoken(self, sentence: str, voice: Any) -> tuple[bytes, int]:
        if not any(character.isalnum() for character in sentence):
            return b"", 0
        wave = self._library.flite_text_to_wave(sentence.encode(), voice)
        if not wave:
            raise ProviderUnavailable(_NAME, "the synthesis failed")
        try:
            return ctypes.string_at(wave.contents.samples, 2 * wave.contents.count), wave.contents.rate_hz
        finally:
            self._library.delete_wave(wave)

    def _voice(self, name: str) -> Any:
        if name not in _VOICES:
            raise ProviderRejected(_NAME, f"there is no such voice; there are: {', '.join(_VOICES)}")
        if name not in self._voices:
            library = f"libflite_cmu_us_{name}.so.1"
            try:
                register = getattr(ctypes.CDLL(library), f"register_cmu_us_{name}")
            except (OSError, AttributeError) as problem:
                raise ProviderMissing(_NAME, f"{library} is not on this system: apt install flite") from problem
            register.restype = ctypes.POINTER(_Voice)
            self._voices[name] = register(None)
        return self._voices[name]


if __name__ == "__main__":
    run(Flite)
