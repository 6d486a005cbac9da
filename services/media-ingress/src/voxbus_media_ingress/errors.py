"""What can go wrong here.

IngressError
├── InboundRefused    not retryable: a text frame of the client makes no sense; the call goes on
├── AttachRefused     a transport may not attach: HTTP status and what to do about it
└── SettingsClash     not retryable: the port is taken by another process
"""

import json
from typing import ClassVar


class IngressError(Exception):
    """Base of all."""

    code: str = "media-ingress-error"
    retryable: ClassVar[bool] = False


class InboundRefused(IngressError):
    """What is wrong with a text frame, for the one who sent it; never repeats what was said."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class AttachRefused(IngressError):
    """Answered over HTTP before there is a WebSocket."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> str:
        return json.dumps({"error": {"code": self.code, "message": self.message}}) + "\n"


class SettingsClash(IngressError):
    """The address to listen on cannot be had; the text names the setting."""

    code = "address-in-use"
