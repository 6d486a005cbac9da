"""`voxbus bench` measures a stack of its own, and what it says of it is plausible."""

import json
import os
import subprocess
import sys

import pytest

from voxbus_contracts.identity import SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SPECULATIVE_MS = 360
"""Partial transcript 50, first token 150, first sentence 80, voice 80: no answer can come sooner."""


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VOXBUS_")}
    return subprocess.run(
        [sys.executable, "-m", "voxbus_cli", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env=environment,
        check=False,
    )


def test_two_calls_are_measured_and_every_turn_is_answered() -> None:
    done = bench("--calls", "2", "--seconds", "8", "--speculation", "off", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert found["turns"]["asked"] == found["turns"]["answered"] >= 2
    assert 540 <= found["v2v_ms"]["p50"] < 2_000, "the providers alone take 560 ms"
    assert abs(found["net_overhead_ms"]["p50"] - (found["v2v_ms"]["p50"] - 560)) < 1
    assert abs(found["heard_minus_told_ms"]["p50"]) < 150, "the record tells what the caller hears"
    assert found["model"]["started"] >= found["turns"]["answered"]
    assert 0 < found["cpu_percent_of_a_core_per_call"] < 100
    assert set(SERVICES) <= set(found["services"])
    assert all(found["services"][service]["memory_mb"] > 10 for service in SERVICES)
    for latency in found["frame_socket_to_handler_ms"].values():
        assert latency["frames"] >= 2 * 8 * 50 * 0.9
        assert 0 < latency["p50"] < 50
    assert "turns answered" in done.stderr, "progress is shown while it runs"


def test_callers_who_interrupt_are_heard_and_the_table_says_how_fast() -> None:
    done = bench("--calls", "1", "--seconds", "8", "--barge-in", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["v2v_ms"]["p50"] >= SPECULATIVE_MS
    assert 60 <= found["barge_in"]["silent_after_ms"]["p50"] < 1_000
    assert found["barge_in_beyond_voice_ms"]["count"] >= 1


def test_what_a_tool_call_takes_beyond_its_server_is_measured() -> None:
    done = bench("--tools", "--calls", "2", "--seconds", "8", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["asked"] == found["answered"] == 8
    assert found["server_ms"]["p50"] >= 49, "50 ms by one clock, less a little by another that is being set right"
    assert found["whole_ms"]["p50"] > found["server_ms"]["p50"]
    assert 0 < found["overhead_ms"]["p50"] < 1_000
