"""Speech to text.

A `Recognizer` is made once per worker process and opens a `RecognizerSession` per call. The stt-worker pushes the
caller's frames in order of pts, from shortly before each stretch of speech to its end, then flushes. For each flush the
session yields Hearing(final=True) exactly once, after any number of partial ones.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from voxbus_contracts.assistant import Transcriber
from voxbus_contracts.config import CallConfig
from voxbus_providers.terms import NO_TERMS, RecognitionTerms


@dataclass(frozen=True, slots=True)
class RecognizerCapabilities:
    """What an engine can do."""

    partials: bool
    languages: tuple[str, ...] = ("en",)
    listens_always: bool = False
    """It wants the whole call as it comes, both sides of it, not only stretches of speech: `listen` and `overhear`."""


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """20 ms of the caller: 640 bytes mono s16le 16 kHz, starting at `pts_ms`; `filled` = silence put in by us."""

    pts_ms: int
    pcm: bytes
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was understood since the last flush. A partial replaces the earlier partials.

    `language`: BCP 47 tag of what it was heard in, of finals of engines that can tell; see `language_tag`.
    """

    text: str
    final: bool
    start_pts_ms: int
    end_pts_ms: int
    confidence: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class RecognizerRequest:
    """Whose call it is to hear: the assistant's transcriber, and what its callers will probably say.

    `config`, secrets sealed, is for customers' own servers; engines of the platform need none.
    """

    transcriber: Transcriber
    terms: RecognitionTerms = NO_TERMS
    config: CallConfig | None = None


class RecognizerSession(ABC):
    """One call's recognition. `push` and `flush` never block; `hearings` ends after `close`."""

    @abstractmethod
    def push(self, frame: HeardFrame) -> None: ...

    @abstractmethod
    def flush(self) -> None:
        """The stretch of speech is over: a final hearing must follow, empty if nothing was understood."""

    def listen(self, frame: HeardFrame) -> None:  # noqa: B027 - only those that listen always
        """A frame of the caller as it comes, whether anybody speaks or not; `push` may give it again."""

    def overhear(self, pcm: bytes) -> None:  # noqa: B027 - only those that listen always
        """20 ms of what the assistant's voice left the transport with."""

    @abstractmethod
    def hearings(self) -> AsyncIterator[Hearing]:
        """Raises ProviderError when the engine is lost; the worker then opens a new session and replays."""

    @abstractmethod
    async def close(self) -> None: ...


class Recognizer(ABC):
    """One engine in one worker process."""

    name: ClassVar[str]
    capabilities: ClassVar[RecognizerCapabilities]

    async def start(self) -> None:  # noqa: B027 - most engines need nothing
        """Load models, start children; called once before the first `open`."""

    @abstractmethod
    async def open(self, request: RecognizerRequest) -> RecognizerSession: ...

    @abstractmethod
    async def close(self) -> None: ...
