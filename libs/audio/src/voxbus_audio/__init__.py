"""PCM maths of the voice path: formats, G.711, resampling, framing, levels, files and test tones.

Everything here is synchronous and free of clocks, sockets and environment; PCM is always mono s16le bytes,
at 16 kHz unless a rate is given. It must never import another Voxbus package.
"""

from voxbus_audio.decode import WireDecoder, WireEncoder
from voxbus_audio.dtmf import keys_pcm
from voxbus_audio.encode import Mp3Encoder, wav_header
from voxbus_audio.errors import AudioError, NotAudio, SamplesInvalid, WavHeaderInvalid, WireFormatInvalid
from voxbus_audio.files import read_audio, read_audio_16k, write_wav
from voxbus_audio.format import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    SILENCE_FRAME,
    Encoding,
    WireFormat,
    wire_format,
)
from voxbus_audio.framing import FrameCutter, frames
from voxbus_audio.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from voxbus_audio.levels import is_quiet, peak, rms_dbfs
from voxbus_audio.resample import StreamResampler, resample_whole
from voxbus_audio.speechlike import hush, speechlike
from voxbus_audio.tones import silence, sine, tone_power

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "FRAME_SAMPLES",
    "SAMPLE_RATE_HZ",
    "SILENCE_FRAME",
    "AudioError",
    "Encoding",
    "FrameCutter",
    "Mp3Encoder",
    "NotAudio",
    "SamplesInvalid",
    "StreamResampler",
    "WavHeaderInvalid",
    "WireDecoder",
    "WireEncoder",
    "WireFormat",
    "WireFormatInvalid",
    "alaw_decode",
    "alaw_encode",
    "frames",
    "hush",
    "is_quiet",
    "keys_pcm",
    "mulaw_decode",
    "mulaw_encode",
    "peak",
    "read_audio",
    "read_audio_16k",
    "resample_whole",
    "rms_dbfs",
    "silence",
    "sine",
    "speechlike",
    "tone_power",
    "wav_header",
    "wire_format",
    "write_wav",
]
