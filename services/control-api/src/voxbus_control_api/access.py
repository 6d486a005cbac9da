"""Keys of the API and tokens in addresses. Only hashes are stored. Pure but for randomness."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from voxbus_contracts import CallRef
from voxbus_contracts.monitor import MonitorAddresses, MonitorPlan


def new_key() -> str:
    return f"vb_{secrets.token_urlsafe(32)}"


def sha256_hex(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a call. Their tokens follow from one secret, so that none needs to be kept."""

    secret: bytes
    media_url: str
    api_url: str

    def transport_token(self, ref: CallRef) -> str:
        return self._token("transport", ref)

    def transport_url(self, ref: CallRef) -> str:
        """Where the caller's audio goes; whoever has it may be the caller."""
        query = urlencode({"token": self.transport_token(ref), "org": ref.org})
        return f"{self.media_url.rstrip('/')}/{ref.call}/transport?{query}"

    def control_url(self, ref: CallRef) -> str:
        """Whoever has it may control this call, and nothing else."""
        query = urlencode({"token": self._token("control", ref), "org": ref.org})
        return f"{self.api_url.rstrip('/')}/call/{ref.call}/control?{query}"

    def may_control(self, ref: CallRef, token: str) -> bool:
        return hmac.compare_digest(self._token("control", ref).encode(), token.encode())

    def listen_url(self, ref: CallRef) -> str:
        """A WebSocket of this API; whoever has it may hear this call, and nothing else."""
        query = urlencode({"token": self._token("listen", ref), "org": ref.org})
        return f"ws{self.api_url.rstrip('/').removeprefix('http')}/call/{ref.call}/listen?{query}"

    def may_listen(self, ref: CallRef, token: str) -> bool:
        return hmac.compare_digest(self._token("listen", ref).encode(), token.encode())

    def monitor(self, ref: CallRef, plan: MonitorPlan) -> MonitorAddresses:
        """What of it the plan allows."""
        return MonitorAddresses(
            listen_url=self.listen_url(ref) if plan.listen_enabled else None,
            control_url=self.control_url(ref) if plan.control_enabled else None,
        )

    def _token(self, purpose: str, ref: CallRef) -> str:
        digest = hmac.new(self.secret, f"{purpose}:{ref}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
