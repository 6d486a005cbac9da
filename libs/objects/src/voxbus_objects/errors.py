"""What can go wrong with an object.

ObjectFault
├── ObjectMissing      not retryable: there is no object of that key
├── BadKey             not retryable: the key is empty, absolute or climbs out of the store
├── BadStoreAddress    not retryable: the store's URL cannot be used; the text names its part
├── StoreRefused       not retryable: credentials or rights are wrong
├── StoreUnavailable   retryable: the store does not answer, or answers that it cannot now (503)
│   └── StoreFull      retryable: no space left
└── BadSignature       not retryable: the URL was not signed here, or was changed
    └── SignatureExpired  not retryable: it was, and its time is over
"""

from typing import ClassVar


class ObjectFault(Exception):
    """Base of all; the text names a key or an address, never content."""

    code: ClassVar[str] = "object-fault"
    retryable: ClassVar[bool] = False


class ObjectMissing(ObjectFault):
    """There is no such object."""

    code = "object-missing"


class BadKey(ObjectFault):
    """No key of this store."""

    code = "object-key"


class BadStoreAddress(ObjectFault):
    """The store's URL."""

    code = "store-address"


class StoreRefused(ObjectFault):
    """The store knows us and says no, or does not know us."""

    code = "store-refused"


class StoreUnavailable(ObjectFault):
    """Not now."""

    code = "store-unavailable"
    retryable = True


class StoreFull(StoreUnavailable):
    """No space left."""

    code = "store-full"


class BadSignature(ObjectFault):
    """Not signed here."""

    code = "object-signature"


class SignatureExpired(BadSignature):
    """Signed here, too long ago."""

    code = "object-signature-expired"
