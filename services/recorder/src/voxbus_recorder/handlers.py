"""What the recorder does with a call it owns, and with calls that ended or were deleted."""

from collections.abc import Awaitable, Callable
from typing import Final

from voxbus_bus import EventBroker, Received
from voxbus_contracts.streams import ARCHIVER, ERASER, RECORDER_ENDED
from voxbus_objects import ObjectStore, keys
from voxbus_recorder.archiving import Archiver
from voxbus_recorder.courier import Courier
from voxbus_recorder.finishing import Finisher
from voxbus_recorder.recording import Recording
from voxbus_runtime.owned_call import OwnedCall

INTERESTS: Final = frozenset({"call.ended"})
"""Frames are all a recording is made of; the end is all it needs to be told."""


def serve_with(store: ObjectStore, courier: Courier) -> Callable[[OwnedCall], Awaitable[None]]:
    """What runs for each call this worker owns."""

    async def serve(call: OwnedCall) -> None:
        await Recording(call, store, courier).run()

    return serve


def add_handlers(broker: EventBroker, finisher: Finisher, archiver: Archiver, store: ObjectStore) -> None:
    @broker.consumes(RECORDER_ENDED, workers=4)
    async def on_ended_call(received: Received) -> None:  # pyright: ignore[reportUnusedFunction]
        await finisher.finish(received.ref, received.envelope.occurred_at_ms)

    # One at a time: it reads whole logs from the server that others are talking over, and nobody waits for it.
    @broker.consumes(ARCHIVER, workers=1)
    async def on_ended_log(received: Received) -> None:  # pyright: ignore[reportUnusedFunction]
        await archiver.archive(received.ref, received.envelope.occurred_at_ms)

    @broker.consumes(ERASER, workers=4)
    async def on_deleted_call(received: Received) -> None:  # pyright: ignore[reportUnusedFunction]
        await store.delete_prefix(keys.call_prefix(received.ref))
