"""Puts the service together: the stage's worker, and the models that are chosen."""

import asyncio
from functools import partial

from voxbus_runtime.claims import StageWorker
from voxbus_runtime.service import Runtime
from voxbus_vad.batching import Batcher
from voxbus_vad.handlers import INTERESTS, Ears, serve
from voxbus_vad.settings import Settings
from voxbus_vad.silero import load_silero
from voxbus_vad.smart_turn import load_turn_model
from voxbus_vad.turn_judge import TurnJudge


async def wire(runtime: Runtime[Settings]) -> StageWorker:
    """Raises SileroMissing when the chosen engine is not installed, TurnModelUnusable when its file is no model."""
    settings = runtime.settings
    batcher = None
    if settings.vad_engine == "silero":
        model = await asyncio.to_thread(load_silero)
        batcher = Batcher(model, settings.vad_silero_tick_ms, settings.vad_silero_batch_size)
        runtime.spawn(batcher.run(), "silero")
    judge = None
    if settings.vad_turn_model is not None:
        turn_model = await asyncio.to_thread(load_turn_model, settings.vad_turn_model)
        judge = TurnJudge(turn_model, settings.vad_turn_model_waiting)
    return StageWorker(runtime, "vad", partial(serve, ears=Ears(settings, batcher, judge)), INTERESTS)
