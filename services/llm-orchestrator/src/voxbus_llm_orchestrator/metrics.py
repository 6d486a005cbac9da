"""Instruments of llm-orchestrator. No call ids in labels."""

from typing import Final

from prometheus_client import Counter, Histogram

_MS: Final = (50, 100, 200, 300, 400, 500, 600, 700, 800, 1000, 1250, 1500, 2000, 3000, 5000)

TURN_V2V: Final = Histogram("voxbus_turn_v2v_milliseconds", "What the caller waited per turn, ms", buckets=_MS)
DECISIONS: Final = Counter("voxbus_turn_decisions", "Rows of the turn table that decided", ["row"])
MODEL_FIRST_TOKEN: Final = Histogram(
    "voxbus_model_first_token_milliseconds", "Model asked → first token, ms", ["provider"], buckets=_MS
)
MODEL_FAILURES: Final = Counter("voxbus_model_failures", "Model requests that failed", ["provider", "code"])
ENDED: Final = Counter("voxbus_calls_ended", "Calls ended", ["reason"])
