"""What can go wrong here: only what the voices raise.

ProviderError (voxbus_providers.errors)
├── ProviderUnavailable   retryable: the next engine says it, or the same one goes on where it stopped
├── ProviderRejected      not retryable: this voice is left out for the rest of the call
└── ProviderMissing       not retryable: this voice is left out for the rest of the call
When nobody can say it, fault.raised carries the code `voice-failed`.
"""

from typing import Final

from voxbus_providers.errors import ProviderError, ProviderMissing, ProviderRejected, ProviderUnavailable

VOICE_FAILED: Final = "voice-failed"

__all__ = ["VOICE_FAILED", "ProviderError", "ProviderMissing", "ProviderRejected", "ProviderUnavailable"]
