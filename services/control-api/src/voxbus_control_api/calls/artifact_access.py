"""Signs addresses of recordings and logs: those of objects as their store does it, those of logs as ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from voxbus_contracts import CallRef
from voxbus_control_api.calls.artifacts import LOGS, addresses
from voxbus_control_api.calls.log_reading import LogReader
from voxbus_control_api.errors import Unavailable
from voxbus_control_api.projection import iso
from voxbus_objects import ObjectFault, ObjectStore, UrlSigner, keys

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """`signer` is control-api's own: logs are made when they are fetched, whatever store the recordings lie in."""

    objects: ObjectStore
    signer: UrlSigner
    logs: LogReader
    expires_s: int
    now_ms: Callable[[], int]

    @property
    def secret(self) -> bytes:
        return self.signer.secret

    async def sign(self, key: str) -> str:
        """Raises Unavailable."""
        try:
            return await self.objects.sign(key, self.expires_s, self.now_ms() / 1000)
        except ObjectFault as fault:
            raise Unavailable(f"the object store does not answer ({fault.code}); try again") from fault

    def sign_logs(self, ref: CallRef) -> str:
        return self.signer.url(keys.call_logs(ref), self.now_ms() // 1000 + self.expires_s)

    async def fields(self, ref: CallRef, files: Mapping[str, str], *, has_logs: bool) -> Json:
        """For the call's `artifact`."""
        presigned = {track: await self.sign(key) for track, key in files.items()}
        if has_logs:
            presigned[LOGS] = self.sign_logs(ref)
        expires_at = iso((self.now_ms() // 1000 + self.expires_s) * 1000)
        return addresses(f"{self.signer.base_url.rstrip('/')}/call/{ref.call}", presigned, expires_at)
