"""A call as its shell sees it, without a bus: what others say goes in, what it says comes out."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import structlog

from voxbus_contracts import Envelope
from voxbus_contracts.config import CallConfig
from voxbus_contracts.message import Event, Message
from voxbus_providers.model import LanguageModel, ModelCapabilities, ModelPart, ModelRequest
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.liveness import Vital
from voxbus_runtime.sequencing import LoggedMessage

M = TypeVar("M", bound=Message)
TIMEOUT_S = 5


class FakeModel(LanguageModel):
    """Says what it is given, request by request; notes which requests were aborted."""

    name = "fake"
    capabilities = ModelCapabilities()

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self.says: list[asyncio.Queue[ModelPart | Exception | None]] = [asyncio.Queue() for _ in range(4)]
        self.aborted: list[int] = []

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelPart]:
        number = len(self.requests)
        self.requests.append(request)
        try:
            while (part := await self.says[number].get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        except (GeneratorExit, asyncio.CancelledError):
            self.aborted.append(number)
            raise

    async def close(self) -> None:
        """Nothing is open."""

    def say(self, *parts: ModelPart | Exception, request: int = 0, ends: bool = True) -> None:
        for part in parts:
            self.says[request].put_nowait(part)
        if ends:
            self.says[request].put_nowait(None)


class FakeCall:
    """A call as the shell sees it: what others say goes in, what it says comes out."""

    def __init__(self, assistant: dict[str, Any]) -> None:
        self.config = CallConfig.model_validate(
            {"org": "acme", "call": str(uuid.uuid4()), "created_at_ms": 1, "assistant": assistant}
        )
        self.ref = self.config.ref
        self.log = structlog.get_logger()
        self.history: tuple[LoggedMessage, ...] = ()
        self.leaving = asyncio.Event()
        self.is_behind = False
        self.said: list[Message] = []
        self._news = asyncio.Event()
        self._coming: asyncio.Queue[LoggedMessage] = asyncio.Queue()

    async def messages(self) -> AsyncIterator[LoggedMessage]:
        while True:
            yield await self._coming.get()

    def hears(self, stage: str, *messages: Event) -> None:
        for message in messages:
            envelope = Envelope(uuid.uuid4().hex, message.schema_id(), int(unix_ms()), "x", stage, 1, 1)
            self._coming.put_nowait(LoggedMessage(envelope, "event", message.name(), b"", message))

    async def publish(self, message: Message, **_: Any) -> None:
        self.said.append(message)
        self._news.set()

    async def publish_stored(self, message: Message) -> int:
        await self.publish(message)
        return len(self.said)

    async def says(self, kind: type[M], where: Callable[[M], bool] = lambda _: True) -> M:
        """Waits until it has said such a message."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                found = [each for each in self.said if isinstance(each, kind) and where(each)]
                if found:
                    return found[-1]
                self._news.clear()
                await self._news.wait()

    def all_of(self, kind: type[M]) -> list[M]:
        return [each for each in self.said if isinstance(each, kind)]


class HearingPeers:
    """All are heard, and live unless they are `lost`."""

    is_deaf = False

    def __init__(self) -> None:
        self.lost: set[str] = set()

    def vital(self, worker: str) -> Vital:
        return Vital.SUSPECT if worker in self.lost else Vital.ALIVE
