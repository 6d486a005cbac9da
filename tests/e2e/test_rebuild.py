"""Records one can trust: a real call's archive, from which records and ledger are made again when both are gone."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack

from voxbus_testing.caller import calling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

PRICES = """
[[price]]
item = "voice"
per_1000_characters = "0.3"
[[price]]
item = "transport"
per_minute = "0.0085"
"""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return path


async def voxbus(stack: Stack, *arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxbus_cli", *arguments]
    env = {**os.environ, "VOXBUS_DATA_DIR": str(stack.data_dir), **stack.environment}
    return await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=within_s, check=False
    )


async def record_of(stack: Stack, call_id: str) -> dict[str, Any]:
    async with httpx.AsyncClient(
        base_url=stack.api, headers={"authorization": f"Bearer {stack.key}"}, trust_env=False
    ) as client:
        answer = await client.get(f"/call/{call_id}")
        assert answer.status_code == 200, answer.text
        record = answer.json()
        # These are open to whoever has them for a while: signed anew for every answer.
        kept = {name: value for name, value in record["artifact"].items() if not name.startswith("presigned")}
        return {**record, "artifact": kept}


async def test_records_and_ledger_are_made_again_from_the_archive_alone(tmp_path: Path, prices: Path) -> None:
    stack = Stack(tmp_path / "data", environment={"VOXBUS_BILLING_PRICES": str(prices)})
    stack.start()
    try:
        pcm, _, labels = speech_at("where is my order", 4_000)
        rule = {"when": "where is my order", "say": "It ships on Friday. Anything else?"}
        assistant = hearing(scripted(rule, firstMessage="Hello.", firstMessageMode="assistant-speaks-first"), labels)
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm)
            async with BusWatch.at(stack.nats) as watch:
                await watch.until(caller.call_id, "reply.finished", count=2, timeout_s=30)
            shown = await voxbus(stack, "call", "show", caller.call_id)
            assert "from the live log" in shown.stdout, shown.stderr
            await caller.hang_up()
            await caller.ended_record()
        call_id = caller.call_id
        await archived_with_the_recording(stack, call_id)
        before = await record_of(stack, call_id)
        assert before["cost"] > 0
        reconciled = await voxbus(stack, "reconcile")
        assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
        assert "1 calls checked: 0 differ" in reconciled.stdout
    finally:
        stack.stop()
    for service, database in (("control-api", "control.db"), ("billing", "billing.db")):
        for path in (stack.data_dir / service).glob(f"{database}*"):
            path.unlink()
    shutil.rmtree(stack.data_dir / "nats")
    rebuilt = await voxbus(stack, "rebuild", "--all")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    page = (await voxbus(stack, "call", "show", call_id)).stdout
    for line in (
        "from its archive",
        "Agent: Hello.",
        "Caller: where is my order",
        "turn 1: answered after",
        "cost voice",
    ):
        assert line in page, page
    again = Stack(stack.data_dir, environment=stack.environment, port=stack.port, nats_port=stack.nats_port).start()
    try:
        after = await record_of(again, call_id)
        assert after["artifact"] == before["artifact"]
        assert after == before
        reconciled = await voxbus(again, "reconcile", "--call", call_id)
        assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
    finally:
        again.stop()


async def archived_with_the_recording(stack: Stack, call_id: str) -> None:
    """The archive is written again when something was said after it."""
    async with asyncio.timeout(90):
        while True:
            told = await voxbus(stack, "call", "show", call_id, "--json")
            if '"source": "its archive"' in told.stdout and '"recording": {' in told.stdout:
                return
            await asyncio.sleep(1)
