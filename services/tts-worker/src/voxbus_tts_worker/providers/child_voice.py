"""A voice whose engine runs in child processes."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar, Final

from voxbus_providers.child import ChildProcess
from voxbus_providers.voice import Voice, VoiceChunk, VoiceRequest
from voxbus_tts_worker.providers.voice_wire import Ask, Kind, marks_of
from voxbus_tts_worker.word_times import word_times

_BYTES_PER_MS: Final = 32


class ChildVoice(Voice):
    """A pool of child processes that many calls share; a sentence goes to the one with the fewest."""

    module: ClassVar[str]
    """What a child runs."""

    def __init__(self, processes: int = 1) -> None:
        self.children: Final = [ChildProcess(self.name, self.module) for _ in range(max(1, processes))]

    async def start(self) -> None:
        """Raises ProviderError."""
        try:
            await asyncio.gather(*(child.start() for child in self.children))
        except BaseException:
            await self.close()
            raise

    async def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        """Waits a little while no process is running, then raises ProviderUnavailable."""
        running = [child for child in self.children if child.is_up] or self.children
        exchange = await min(running, key=lambda child: child.load).open()
        given_bytes = 0
        try:
            exchange.send(Kind.SPEAK, Ask(request.text, request.voice_id, request.speed).packed())
            async for reply in exchange.replies():
                if reply.kind == Kind.AUDIO:
                    given_bytes += len(reply.body)
                    yield VoiceChunk(reply.body)
                elif reply.kind == Kind.DONE:
                    words = word_times(request.text, marks_of(reply.body), given_bytes // _BYTES_PER_MS)
                    if self.capabilities.word_times and words:
                        yield VoiceChunk(b"", words)
                    return
        finally:
            exchange.close()

    async def close(self) -> None:
        await asyncio.gather(*(child.close() for child in self.children))
