"""Flite from the system's packages: a smaller voice with a free licence (BSD-like).

Source: flite 2.2 (Debian package `flite`). In a child like every library that may crash. Measured November 2026: slt
and rms need 20 ms for 1 s of speech, kal16 1 ms; a text is spoken sentence by sentence, each whole.
"""

from typing import ClassVar

from voxbus_providers.voice import VoiceCapabilities
from voxbus_tts_worker.providers.child_voice import ChildVoice


class FliteVoice(ChildVoice):
    """`voice_id`: slt, rms, awb, kal16 or kal; empty = slt."""

    name: ClassVar[str] = "flite"
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities()
    module: ClassVar[str] = "voxbus_tts_worker.providers.flite_child"
