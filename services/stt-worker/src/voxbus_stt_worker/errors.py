"""What can go wrong here: only what the recognizers raise.

ProviderError (voxbus_providers.errors)
├── ProviderUnavailable   retryable: a new session is tried, then the utterance's final is empty
├── ProviderRejected      not retryable: the default recognizer is used
└── ProviderMissing       not retryable: the default recognizer is used
"""

from voxbus_providers.errors import ProviderError, ProviderMissing, ProviderRejected, ProviderUnavailable

__all__ = ["ProviderError", "ProviderMissing", "ProviderRejected", "ProviderUnavailable"]
