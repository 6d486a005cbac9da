"""Puts the service together: the voices of this process and the stage's worker."""

from functools import partial

from voxbus_contracts.subjects import backs_of
from voxbus_runtime.claims import StageWorker
from voxbus_runtime.said_frames import SayingAgain
from voxbus_runtime.service import Runtime
from voxbus_tts_worker.engines import Engines
from voxbus_tts_worker.handlers import INTERESTS, serve
from voxbus_tts_worker.line import CallLine
from voxbus_tts_worker.settings import Settings
from voxbus_tts_worker.utterance import Pace


class TtsWorker(StageWorker):
    """The stage's worker, which also ends the voices' processes, and says again what somebody missed."""

    def __init__(self, runtime: Runtime[Settings], engines: Engines) -> None:
        pace = Pace(runtime.settings.tts_ahead_ms, runtime.settings.tts_timeout_ms)
        self._lines: set[CallLine] = set()
        super().__init__(
            runtime, "tts-worker", partial(serve, engines=engines, pace=pace, lines=self._lines), INTERESTS
        )
        self.engines = engines
        self._again = SayingAgain(lambda: [line.said for line in self._lines])

    async def start(self) -> None:
        await self.runtime.bus.nc.subscribe_live(backs_of("media-ingress"), self._again.on_back)
        await super().start()

    async def close(self) -> None:
        self._again.stop()
        await super().close()
        await self.engines.close()


async def wire(runtime: Runtime[Settings]) -> TtsWorker:
    """Starts the default voice, so that no call waits for it. Raises ProviderMissing when there is none."""
    engines = Engines(runtime.settings.tts_default, runtime.settings.engine_arguments)
    name = await engines.start()
    runtime.log.info("voice is ready", engine=name)
    return TtsWorker(runtime, engines)
