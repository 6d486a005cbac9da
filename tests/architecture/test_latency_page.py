"""docs/latency.md speaks of parts, spans and instruments that exist."""

import re
from typing import Any

from voxbus_llm_orchestrator.latency import PARTS
from voxbus_llm_orchestrator.metrics import ENDPOINTING_SPAN, MODEL_SPAN, TURN_SPAN
from voxbus_media_ingress.metrics import ATTACHMENT_SPAN, PLAYOUT_SPAN
from voxbus_runtime.telemetry import CALL_SPAN
from voxbus_stt_worker.metrics import RECOGNITION_SPAN
from voxbus_tool_runner.metrics import TOOL_SPAN
from voxbus_tts_worker.metrics import VOICE_SPAN

SPANS = (CALL_SPAN, ATTACHMENT_SPAN, TURN_SPAN, ENDPOINTING_SPAN, RECOGNITION_SPAN, MODEL_SPAN, TOOL_SPAN, VOICE_SPAN)
INSTRUMENT = re.compile(r"`((?:voxbus|media|stt|tts)_\w+)`")


def test_every_part_and_every_span_is_explained(checkout: Any) -> None:
    page = (checkout.root / "docs/latency.md").read_text()
    assert [part for part in PARTS if f"| `{part}` |" not in page] == []
    tree = page[page.index("## Traces") :]
    assert [span for span in (*SPANS, PLAYOUT_SPAN) if not re.search(rf"(^|─ ){re.escape(span)} ", tree, re.M)] == []


def test_every_instrument_it_names_is_made_by_some_service(checkout: Any) -> None:
    page = (checkout.root / "docs/latency.md").read_text()
    rooms = [member.source / "metrics.py" for member in checkout.members]
    made = "".join(room.read_text() for room in rooms if room.is_file())
    named = set(INSTRUMENT.findall(page))
    assert len(named) >= 8
    assert [name for name in named if f'"{name}"' not in made] == []
