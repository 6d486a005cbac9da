"""What `voxbus bench --tools` makes of what it saw."""

import pytest

from voxbus_cli.bench.tool_load import ToolCall, tool_figures, tool_report
from voxbus_cli.errors import CommandFailed


def tool_call(after_ms: float, server_ms: float = 50.0) -> ToolCall:
    """Ordered after 1 ms, asked after 3, finished so long after the server's answer."""
    return ToolCall(1_000.0, 1_001.0, 1_003.0, 1_003.0 + server_ms, 1_003.0 + server_ms + after_ms)


def test_overhead_is_what_the_server_did_not_take_and_an_unanswered_call_counts() -> None:
    found = tool_figures(2, 8.0, 4, [tool_call(3.0), tool_call(4.0, 80.0), tool_call(6.0)])
    assert found["overhead_ms"] == {"p50": 7.0, "p95": 9.0, "max": 9.0}
    assert [each["p50"] for each in found["parts_ms"].values()] == [1.0, 2.0, 4.0]
    assert "3 of 4 tool calls answered" in tool_report(found)
    assert "MISSED" not in tool_report(found)


def test_a_target_that_is_missed_is_said() -> None:
    assert "MISSED: target p95 10 ms" in tool_report(tool_figures(1, 8.0, 1, [tool_call(8.0)]))


def test_a_measurement_without_a_tool_call_fails() -> None:
    with pytest.raises(CommandFailed, match="no tool was called"):
        tool_figures(1, 8.0, 4, [])
