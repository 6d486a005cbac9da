"""The voices there are."""

from typing import Final

VOICES: Final = {
    "espeak-ng": "voxbus_tts_worker.providers.espeak:EspeakVoice",
    "flite": "voxbus_tts_worker.providers.flite:FliteVoice",
    "custom-voice": "voxbus_tts_worker.providers.custom_voice:CustomVoice",
    "stub": "voxbus_testing.stub_voice:StubVoice",
}
EXTRAS: Final = {"stub": "voxbus-tts-worker[stub]"}
