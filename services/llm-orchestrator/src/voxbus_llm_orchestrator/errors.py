"""What can go wrong in llm-orchestrator. Providers' errors: `voxbus_providers.errors`.

OrchestratorError
└── NotOurCall   not retryable here: this worker does not own the call a request names
"""

from typing import ClassVar


class OrchestratorError(Exception):
    """Base."""

    code: ClassVar[str] = "orchestrator-error"
    retryable: ClassVar[bool] = False


class NotOurCall(OrchestratorError):
    """Ask OWNERS who has it."""

    code = "not-our-call"
