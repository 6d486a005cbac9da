"""Errors of audio input; every one is a ValueError whose text starts with the field at fault.

AudioError
├── WireFormatInvalid    a declared encoding or sample rate is out of range
├── SamplesInvalid       PCM that is not a whole number of samples
├── WavHeaderInvalid     a RIFF/WAVE header that is broken or of an unsupported kind
└── NotAudio             a file without decodable audio
"""

from typing import ClassVar


class AudioError(ValueError):
    """Audio from outside cannot be used as it is; sending the same bytes again will not help."""

    code: ClassVar[str] = "audio.invalid"
    retryable: ClassVar[bool] = False


class WireFormatInvalid(AudioError):
    """A declared wire format is not one Voxbus speaks."""

    code: ClassVar[str] = "audio.wire_format_invalid"


class SamplesInvalid(AudioError):
    """PCM bytes do not divide into whole samples."""

    code: ClassVar[str] = "audio.samples_invalid"


class WavHeaderInvalid(AudioError):
    """A RIFF/WAVE header is broken or names audio that cannot be decoded here."""

    code: ClassVar[str] = "audio.wav_header_invalid"


class NotAudio(AudioError):
    """A file holds no audio that can be decoded."""

    code: ClassVar[str] = "audio.not_audio"
