"""`python -m voxbus_llm_orchestrator`"""

from voxbus_llm_orchestrator.settings import Settings
from voxbus_llm_orchestrator.wiring import wire
from voxbus_runtime.service import main

if __name__ == "__main__":
    main("llm-orchestrator", Settings, wire)
