"""Puts the service together: the recognizers of this process and the stage's worker."""

from functools import partial

from voxbus_runtime.claims import StageWorker
from voxbus_runtime.service import Runtime
from voxbus_stt_worker.engines import Engines
from voxbus_stt_worker.handlers import INTERESTS, serve
from voxbus_stt_worker.recognition import Patience
from voxbus_stt_worker.settings import Settings


class SttWorker(StageWorker):
    """The stage's worker, which also ends the recognizers' processes."""

    def __init__(self, runtime: Runtime[Settings], engines: Engines) -> None:
        settings = runtime.settings
        patience = Patience(settings.stt_final_timeout_ms, settings.stt_attempts)
        super().__init__(runtime, "stt-worker", partial(serve, engines=engines, patience=patience), INTERESTS)
        self._engines = engines

    async def close(self) -> None:
        await super().close()
        await self._engines.close()


async def wire(runtime: Runtime[Settings]) -> SttWorker:
    """Starts the default recognizer, so that no call waits for it. Raises ProviderError when it cannot be started."""
    settings = runtime.settings
    engines = Engines(settings.stt_default, settings.engine_arguments, settings.stub_providers)
    await engines.get(engines.default)
    return SttWorker(runtime, engines)
