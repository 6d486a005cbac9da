"""What of a measured turn the histograms count."""

from prometheus_client import REGISTRY

from voxbus_contracts.events import TurnMeasured
from voxbus_llm_orchestrator.latency import PARTS
from voxbus_llm_orchestrator.metrics import observe_turn


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_count", labels) or 0.0


def test_a_turn_counts_in_every_part_and_in_tools_only_when_it_had_one() -> None:
    before = {part: counted("voxbus_turn_part_milliseconds", part=part) for part in PARTS}
    answers, turns = counted("voxbus_turn_answer_milliseconds"), counted("voxbus_turn_v2v_milliseconds")
    parts = dict.fromkeys(PARTS, 0.0) | {"endpointing": 500.0, "playout": 20.0}
    observe_turn(TurnMeasured(turn=1, v2v_ms=520.0, parts=parts))
    observe_turn(TurnMeasured(turn=2, v2v_ms=620.0, parts={**parts, "tools": 100.0}, answer_ms=900.0))
    grown = {part: counted("voxbus_turn_part_milliseconds", part=part) - before[part] for part in PARTS}
    assert grown == {part: 1.0 if part == "tools" else 2.0 for part in PARTS}
    assert counted("voxbus_turn_v2v_milliseconds") == turns + 2
    assert counted("voxbus_turn_answer_milliseconds") == answers + 1
