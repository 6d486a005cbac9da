"""One stack per test module that asks for it, and a watch over the bus."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bus_watch import BusWatch
from stack import Stack, running

from voxbus_contracts import CLAIMED_STAGES


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, ready."""
    with running(tmp_path_factory.mktemp("stack") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def twin_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers of every claimed stage."""
    twins = ",".join(f"{stage}=2" for stage in CLAIMED_STAGES)
    with running(tmp_path_factory.mktemp("twins") / "data", "--replicas", twins) as started:
        yield started


@pytest.fixture
async def watch(stack: Stack) -> AsyncIterator[BusWatch]:
    """Everything said on the bus while the test runs."""
    async with BusWatch.at(stack.nats) as watching:
        yield watching
