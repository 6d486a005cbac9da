"""Instruments and span names of llm-orchestrator. No call ids in labels."""

from typing import Final

from prometheus_client import Counter, Histogram

from voxbus_contracts.events import TurnMeasured
from voxbus_llm_orchestrator.latency import PARTS

_MS: Final = (50, 100, 200, 300, 400, 500, 600, 700, 800, 1000, 1250, 1500, 2000, 3000, 5000)

_PART_MS: Final = (1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 5000)

TURN_V2V: Final = Histogram("voxbus_turn_v2v_milliseconds", "What the caller waited per turn, ms", buckets=_MS)
TURN_PART: Final = Histogram(
    "voxbus_turn_part_milliseconds",
    "Part of what the caller waited, ms; every turn counts in every part, `tools` only turns that had one",
    ["part"],
    buckets=_PART_MS,
)
TURN_ANSWER: Final = Histogram(
    "voxbus_turn_answer_milliseconds",
    "Waited for what was said with a tool's result, in turns that had sounded before the tool, ms",
    buckets=(*_MS, 10_000),
)
DECISIONS: Final = Counter("voxbus_turn_decisions", "Rows of the turn table that decided", ["row"])
MODEL_FIRST_TOKEN: Final = Histogram(
    "voxbus_model_first_token_milliseconds", "Model asked → first token, ms", ["provider"], buckets=_MS
)
MODEL_FAILURES: Final = Counter("voxbus_model_failures", "Model requests that failed", ["provider", "code"])
ENDED: Final = Counter("voxbus_calls_ended", "Calls ended", ["reason"])
CHATS_ENDED: Final = Counter("voxbus_chats_ended", "Chats ended, by the error or `answered`", ["outcome"])
RESCUES: Final = Counter("voxbus_silent_line_rescues", "Times a line would have stayed silent", ["kind"])
ENDPOINTING_FAILURES: Final = Counter(
    "voxbus_endpointing_server_failures", "Customers' endpointing servers that failed"
)
SPECULATIONS: Final = Counter(
    "voxbus_speculations", "Answers prepared ahead of a turn, by what became of them", ["fate"]
)

CHAT_SPAN: Final = "chat"
"""The root of a chat's trace: from its creation to its answer."""

TURN_SPAN: Final = "turn"
"""From the arrival of the caller's last voiced sample to the first sound, or to what was said with a tool's result.
A turn whose answer was never heard ends where the next one begins, or the call ends."""

ENDPOINTING_SPAN: Final = "endpointing"
"""Under the turn: until the silence was long enough."""

MODEL_SPAN: Final = "model"
"""Under the turn: one request to the model, from asked to answered or dropped."""

_PART_CHILDREN: Final = {part: TURN_PART.labels(part) for part in PARTS}


def observe_turn(measured: TurnMeasured) -> None:
    """Counts a turn in the histograms of v2v and its parts."""
    TURN_V2V.observe(measured.v2v_ms)
    for part, ms in measured.parts.items():
        if ms or part != "tools":
            _PART_CHILDREN[part].observe(ms)
    if measured.answer_ms is not None:
        TURN_ANSWER.observe(measured.answer_ms)
