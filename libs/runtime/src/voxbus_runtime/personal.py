"""The key of a private call: with it personal fields are sealed before they reach the bus, and opened by who serves it.

It is made with the call, lies in its configuration, sealed with the cluster key, and is forgotten when the call is over
and archived: what the streams still hold of it then says nothing to anybody.
"""

from collections import OrderedDict
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from voxbus_contracts import CallRef, Message
from voxbus_contracts.config import CallConfig
from voxbus_contracts.privacy import MARK_BYTES, has_personal, opened, redacted, sealed
from voxbus_runtime.bus import Bus
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import open_seal, seal

_REMEMBERED: Final = 2_000


def new_personal_key(cluster_key: SecretStr | None) -> str:
    """For a private call's configuration. Raises BadSeal without a cluster key."""
    return seal(Fernet.generate_key().decode(), cluster_key)


class Cipher:
    """One call's. Of a call that is not private it passes everything on as it is."""

    __slots__ = ("_fernet", "_is_private")

    def __init__(self, is_private: bool, key: str = "") -> None:
        self._is_private = is_private
        self._fernet = Fernet(key.encode()) if key else None

    def payload(self, message: Message) -> bytes:
        """What goes on the bus; nothing personal at all once the key is forgotten."""
        if not self._is_private or not has_personal(type(message)):
            return message.payload()
        if self._fernet is None:
            return redacted(type(message), message.payload())
        return sealed(message, self._encrypt)

    def opened(self, payload: bytes) -> bytes:
        """What was meant; as it is when it cannot be opened, which readers take for nothing."""
        if self._fernet is None or MARK_BYTES not in payload:
            return payload
        try:
            return opened(payload, self._decrypt)
        except InvalidToken:
            return payload

    def _encrypt(self, text: str) -> str:
        assert self._fernet is not None
        return self._fernet.encrypt(text.encode()).decode()

    def _decrypt(self, token: str) -> str:
        assert self._fernet is not None
        return self._fernet.decrypt(token.encode()).decode()


OPEN: Final = Cipher(is_private=False)


def cipher_of(config: CallConfig, cluster_key: SecretStr | None) -> Cipher:
    """Raises BadSeal when the call's key was sealed with another cluster key."""
    if not config.is_private or config.is_chat:
        return OPEN
    if config.personal_key and cluster_key is None:
        raise BadSeal("a private call needs the cluster key: set VOXBUS_CLUSTER_KEY for every service")
    return Cipher(is_private=True, key=open_seal(config.personal_key, cluster_key) if config.personal_key else "")


class Ciphers:
    """Those of the calls a process speaks on without owning a part of them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: OrderedDict[CallRef, Cipher] = OrderedDict()

    async def of(self, ref: CallRef) -> Cipher:
        known = self._known.get(ref)
        if known is None:
            config = await self._bus.read_config(ref)
            if config is None:
                return OPEN
            known = self._keep(ref, cipher_of(config, self._bus.cluster_key))
        return known

    def learn(self, config: CallConfig) -> None:
        """Somebody has read it anyway: of a call that is not private nobody has to ask again."""
        if config.ref not in self._known and (not config.is_private or config.is_chat):
            self._keep(config.ref, OPEN)

    def _keep(self, ref: CallRef, cipher: Cipher) -> Cipher:
        self._known[ref] = cipher
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return cipher

    async def opened(self, ref: CallRef, payload: bytes) -> bytes:
        """Asks for the call's key only when something is sealed."""
        return (await self.of(ref)).opened(payload) if MARK_BYTES in payload else payload

    async def payload(self, ref: CallRef, message: Message) -> bytes:
        return (await self.of(ref)).payload(message) if has_personal(type(message)) else message.payload()
