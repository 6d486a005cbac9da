"""Objects by URL: a local folder or S3-compatible storage, the layout of their keys, URLs that expire."""

from voxbus_objects.errors import (
    BadKey,
    BadSignature,
    BadStoreAddress,
    ObjectFault,
    ObjectMissing,
    SignatureExpired,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from voxbus_objects.signing import UrlSigner, check_signature
from voxbus_objects.store import ObjectStore, StoredObject, open_store

__all__ = [
    "BadKey",
    "BadSignature",
    "BadStoreAddress",
    "ObjectFault",
    "ObjectMissing",
    "ObjectStore",
    "SignatureExpired",
    "StoreFull",
    "StoreRefused",
    "StoreUnavailable",
    "StoredObject",
    "UrlSigner",
    "check_signature",
    "open_store",
]
