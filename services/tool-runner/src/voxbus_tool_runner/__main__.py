"""Starts the tool runner."""

from voxbus_runtime.service import main
from voxbus_tool_runner.settings import Settings
from voxbus_tool_runner.wiring import wire

if __name__ == "__main__":
    main("tool-runner", Settings, wire)
