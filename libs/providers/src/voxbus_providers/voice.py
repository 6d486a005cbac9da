"""Text to speech."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from voxbus_contracts.assistant import Voice as VoiceSettings
from voxbus_contracts.config import CallConfig


@dataclass(frozen=True, slots=True)
class VoiceCapabilities:
    """What an engine can do."""

    word_times: bool = False
    languages: tuple[str, ...] = ("en",)


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """One sentence to say; `speed` 1.0 = the voice's own.

    `settings` and `config`, secrets sealed, are for customers' own servers; engines of the platform need none.
    """

    text: str
    voice_id: str
    speed: float = 1.0
    settings: VoiceSettings | None = None
    config: CallConfig | None = None


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word sounds inside the utterance."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """Sound: mono s16le 16 kHz, a whole number of samples, any length; and the words known so far to lie in it."""

    pcm: bytes
    words: tuple[WordTime, ...] = ()


class Voice(ABC):
    """One engine in one worker process. The same request gives the same samples, so that a takeover can go on."""

    name: ClassVar[str]
    capabilities: ClassVar[VoiceCapabilities]

    async def start(self) -> None:  # noqa: B027 - most engines need nothing
        """Load models, start children; called once before the first `synthesize`."""

    @abstractmethod
    def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        """Chunks as they are made; closing the iterator cancels. Raises ProviderError."""

    @abstractmethod
    async def close(self) -> None: ...
