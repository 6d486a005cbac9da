"""A bus that does not answer, as the API's clients are told."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import nats.errors
import nats.js.errors

from voxbus_control_api.errors import Unavailable
from voxbus_runtime.errors import NotStored


@asynccontextmanager
async def answering() -> AsyncGenerator[None]:
    """Whatever the bus fails with becomes Unavailable."""
    try:
        yield
    except (nats.errors.Error, nats.js.errors.Error, NotStored, TimeoutError, OSError) as problem:
        raise Unavailable(f"the bus does not answer ({type(problem).__name__}); try again") from problem
