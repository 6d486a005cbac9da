"""Makes the orchestrator's virtual call importable: here it is joined to the real cores of other services."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "services" / "llm-orchestrator" / "tests")]
