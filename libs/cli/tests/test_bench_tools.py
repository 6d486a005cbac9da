"""What `voxbus bench --tools` makes of what it saw."""

import pytest

from voxbus_cli.bench.tool_load import ToolCall, tool_figures, tool_report
from voxbus_cli.errors import CommandFailed


def test_overhead_is_what_the_server_did_not_take_and_an_unanswered_call_counts() -> None:
    seen = [ToolCall(50.0, 56.0), ToolCall(50.5, 57.5), ToolCall(50.0, 59.0), ToolCall(0.0, None)]
    found = tool_figures(2, 8.0, 5, seen)
    assert found["overhead_ms"] == {"p50": 7.0, "p95": 9.0, "max": 9.0}
    assert (found["asked"], found["answered"]) == (5, 3)
    assert "3 of 5 tool calls answered" in tool_report(found)
    assert "MISSED" not in tool_report(found)


def test_a_target_that_is_missed_is_said() -> None:
    found = tool_figures(1, 8.0, 1, [ToolCall(50.0, 61.0)])
    assert tool_report(found).endswith("MISSED: target p95 10 ms")


def test_a_measurement_without_a_tool_call_fails() -> None:
    with pytest.raises(CommandFailed, match="no tool was called"):
        tool_figures(1, 8.0, 4, [])
