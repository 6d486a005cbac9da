"""What can go wrong below a service.

RuntimeFault
├── NotStored         retryable: the stream did not acknowledge an event in time
├── NotAnswered       retryable: nobody answered another service's question in time
├── OwnershipLost     not retryable: a newer epoch owns the call's stage
├── ConfigMissing     not retryable: the call has no configuration (ended long ago, or never was)
├── BadSeal           not retryable: a sealed secret cannot be opened with this cluster key
└── AddressRefused    not retryable: the guard does not let a request go to that address
"""

from typing import ClassVar


class RuntimeFault(Exception):
    """Base of all."""

    code: ClassVar[str] = "runtime-fault"
    retryable: ClassVar[bool] = False


class NotStored(RuntimeFault):
    """No acknowledgement of the stream in time; the message stays in the outbox and is tried again."""

    code = "not-stored"
    retryable = True


class NotAnswered(RuntimeFault):
    """Whoever could answer is not there, or was not asked in a way it can read."""

    code = "not-answered"
    retryable = True


class OwnershipLost(RuntimeFault):
    """Somebody else owns the stage now."""

    code = "ownership-lost"


class ConfigMissing(RuntimeFault):
    """Nothing in CONFIGS for the call."""

    code = "config-missing"


class BadSeal(RuntimeFault):
    """Sealed with another cluster key, or damaged."""

    code = "bad-seal"


class AddressRefused(RuntimeFault):
    """Scheme or address not allowed; the text says which setting would allow it."""

    code = "address-refused"
