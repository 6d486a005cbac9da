"""Objects in S3 or what speaks it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import obstore
from obstore.store import S3Store

from voxbus_objects.address import BucketAddress
from voxbus_objects.backend import Backend, translated
from voxbus_objects.keys import checked_key, content_type

if TYPE_CHECKING:
    from obstore.store import S3Config

_TRIES: Final = 2
_RETRY_S: Final = 5
_TIMEOUT_S: Final = 30
_CONNECT_S: Final = 3
"""A store that does not answer is said so soon: whoever stores keeps what it has and tries again."""

LONGEST_SIGNED_S: Final = 7 * 86_400
"""S3 signs for no longer."""


class Bucket(Backend):
    """Credentials come from the environment (`AWS_ACCESS_KEY_ID` …) or the machine's role."""

    def __init__(self, address: BucketAddress) -> None:
        super().__init__(_opened(address, address.endpoint))
        self._signing = _opened(address, address.public_endpoint)

    async def put(self, key: str, content: bytes) -> None:
        with translated(checked_key(key)):
            await obstore.put_async(self._store, key, content, attributes={"Content-Type": content_type(key)})

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        with translated(checked_key(key)):
            await obstore.put_async(
                self._store,
                key,
                chunks,
                attributes={"Content-Type": content_type(key)},
                use_multipart=True,
                max_concurrency=2,
            )

    async def sign(self, key: str, expires_s: int, now_s: float) -> str:
        """`now_s` is not asked: S3's signature is of the machine's clock."""
        del now_s
        with translated(checked_key(key)):
            return await obstore.sign_async(
                self._signing, "GET", key, timedelta(seconds=min(expires_s, LONGEST_SIGNED_S))
            )


def _opened(address: BucketAddress, endpoint: str) -> S3Store:
    config: dict[str, Any] = {"region": address.region, "virtual_hosted_style_request": not endpoint}
    if endpoint:
        config["endpoint"] = endpoint
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        config=cast("S3Config", config),
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "timeout": timedelta(seconds=_TIMEOUT_S),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
        },
        retry_config={"max_retries": _TRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
    )
