"""What can go wrong with a provider.

ProviderError
├── ProviderUnavailable   retryable: down, slow, overloaded; another try or provider may work
│   └── ProviderSlow      it did not answer in the time it has
├── ProviderRejected      not retryable: wrong key, bad request, unknown model
│   └── ProviderUnauthorized  it does not know us: the key or token is none of its own, or no longer
└── ProviderMissing       not retryable: not installed here; the text says which extra to install
"""

from typing import ClassVar


class ProviderError(Exception):
    """Base; `detail` never holds secrets or personal text."""

    code: ClassVar[str] = "provider-error"
    retryable: ClassVar[bool] = False

    def __init__(self, provider: str, detail: str) -> None:
        super().__init__(f"{provider}: {detail}")
        self.provider = provider
        self.detail = detail


class ProviderUnavailable(ProviderError):
    """Down, slow or overloaded."""

    code = "provider-unavailable"
    retryable = True


class ProviderSlow(ProviderUnavailable):
    """It did not answer in the time it has."""

    code = "provider-slow"


class ProviderRejected(ProviderError):
    """It understood us and said no."""

    code = "provider-rejected"


class ProviderUnauthorized(ProviderRejected):
    """It does not know us: the key or token is none of its own, or no longer."""


class ProviderMissing(ProviderError):
    """Its software is not on this machine."""

    code = "provider-missing"
