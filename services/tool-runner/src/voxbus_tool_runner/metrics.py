"""Instruments of the tool runner."""

from prometheus_client import Counter, Gauge, Histogram

RUNS = Counter("voxbus_tool_runs", "Tools run, by outcome (`ok` or an error's code).", ["outcome"])
RUNNING = Gauge("voxbus_tool_running", "Tools running now.")
DURATION_S = Histogram("voxbus_tool_duration_seconds", "From the command's arrival to the answer.")
