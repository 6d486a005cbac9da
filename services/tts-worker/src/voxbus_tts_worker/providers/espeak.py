"""eSpeak NG from the wheel of espeakng-loader: a voice without key, network or download.

The library is GPL-3, so it is loaded in child processes only, never here. Source: espeak-ng 1.52 speak_lib.h; wheel
espeakng-loader 0.2.4. Measured November 2026 on a busy 2-core machine: first audio after 0.1 ms, 1.5 s of speech in
2 ms; 0 to 13 ms of silence before the first sound, of which at most 10 ms are left.
"""

import importlib.util
from typing import ClassVar

from voxbus_providers.errors import ProviderMissing
from voxbus_providers.voice import VoiceCapabilities
from voxbus_tts_worker.providers.child_voice import ChildVoice


class EspeakVoice(ChildVoice):
    """`voice_id` is a voice of eSpeak NG, such as `en-us`, `en-gb` or `de`; empty = en-us."""

    name: ClassVar[str] = "espeak-ng"
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities(word_times=True, languages=("en", "de", "fr", "es"))
    module: ClassVar[str] = "voxbus_tts_worker.providers.espeak_child"
    sentences_per_process: int = 50_000
    """The library loses 2 KB with every sentence (measured November 2026, 1.52): 100 MB."""

    async def start(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            advice = "pip install --require-hashes -r requirements/voice-espeak.lock"
            raise ProviderMissing(self.name, f"espeakng-loader is not installed: {advice}")
        await super().start()
