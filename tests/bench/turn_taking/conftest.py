"""Makes the score and the orchestrator's virtual call importable by the tests beside it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "services" / "llm-orchestrator" / "tests")]
