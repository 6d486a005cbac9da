"""A voice whose engine runs in child processes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import ClassVar, Final

from voxbus_providers.child import ChildProcess
from voxbus_providers.errors import ProviderError
from voxbus_providers.voice import Voice, VoiceChunk, VoiceRequest
from voxbus_tts_worker.providers.voice_wire import Ask, Kind, marks_of
from voxbus_tts_worker.word_times import word_times

_BYTES_PER_MS: Final = 32
_LAST_SENTENCES_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.05


class ChildVoice(Voice):
    """A pool of child processes that many calls share; a sentence goes to the one with the fewest."""

    module: ClassVar[str]
    """What a child runs."""
    sentences_per_process: int = 0
    """After so many a child is replaced by a new one, for an engine that loses memory; 0 = never."""

    def __init__(self, processes: int = 1) -> None:
        self.children: Final = [ChildProcess(self.name, self.module) for _ in range(max(1, processes))]
        self._asked: Counter[ChildProcess] = Counter()
        self._renewing: set[asyncio.Task[None]] = set()

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
        child = min(running, key=lambda child: child.load)
        exchange = await child.open()
        self._count(child)
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

    def _count(self, child: ChildProcess) -> None:
        self._asked[child] += 1
        if self._asked[child] == self.sentences_per_process:
            task = asyncio.create_task(self._renew(child), name=f"{self.name}-renewal")
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)

    async def _renew(self, old: ChildProcess) -> None:
        """The new child takes over at once; the old one ends when its sentences are done."""
        new = ChildProcess(self.name, self.module)
        try:
            await new.start()
        except ProviderError:
            self._asked[old] = 0  # the old one still works: tried again later
            return
        except BaseException:
            await new.close()
            raise
        self.children[self.children.index(old)] = new
        del self._asked[old]
        try:
            async with asyncio.timeout(_LAST_SENTENCES_S):
                while old.load:  # noqa: ASYNC110 - the pipe tells its load, not its change
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError:
            pass
        finally:
            await old.close()

    async def close(self) -> None:
        for task in self._renewing:
            task.cancel()
        await asyncio.gather(*self._renewing, return_exceptions=True)
        await asyncio.gather(*(child.close() for child in self.children))
