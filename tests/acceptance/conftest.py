"""One stack, and the official clients against it, for every test of this folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from official import COMMANDS, Official
from stack import Stack, running
from table import Referenced


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up` with stubs allowed in every place; or the one that VOXBUS_ACCEPTANCE names: its API and its key."""
    if given := os.environ.get("VOXBUS_ACCEPTANCE"):
        api, key = given.split()
        yield Stack(Path(), api=api, key=key)
        return
    with running(tmp_path_factory.mktemp("acceptance") / "data", VOXBUS_STUB_PROVIDERS="1") as started:
        yield started


@pytest.fixture(scope="session")
def http(stack: Stack) -> Iterator[httpx.Client]:
    """Plain requests with the first key."""
    headers = {"Authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.api, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def referenced(http: httpx.Client) -> Referenced:
    return Referenced(http)


@pytest.fixture(scope="session")
def clients(stack: Stack) -> Iterator[dict[str, Official]]:
    """All of them at once: loading the oldest takes longest."""
    started: dict[str, Official] = {}
    try:
        for name in reversed(COMMANDS):
            started[name] = Official(name, stack.api, stack.key)
        yield started
    finally:
        for each in started.values():
            each.end()


@pytest.fixture(params=list(COMMANDS), scope="session")
def official(request: pytest.FixtureRequest, clients: dict[str, Official]) -> Official:
    return clients[request.param]
