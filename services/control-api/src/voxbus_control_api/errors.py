"""What a request can be answered with instead of what was asked for.

ApiError
├── BadRequest       400, not retryable: every problem is named
├── Unauthorized     401, not retryable
├── Forbidden        403, not retryable: the key is valid, but not for this
├── NotFound         404, not retryable
├── Conflict         409, not retryable: the call is in no state for it
├── PayloadTooLarge  413, not retryable
├── TooManyRequests  429, retryable: says when
├── ModelFailed      424, not retryable: the model, or what it needs, gave no answer; tools may have run
├── Misconfigured    500, not retryable: the installation lacks something
└── Unavailable      503, retryable: the bus does not answer
PortTaken            at start: names the port
BadSecretKey         at start, and when something cannot be decrypted: names the setting
"""

from typing import ClassVar


class ApiError(Exception):
    """Base of all answers that are errors."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal Server Error"
    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False


class BadRequest(ApiError):
    """`problems` has one sentence per offending field, beginning with its path."""

    status = 400
    title = "Bad Request"
    code = "bad-request"

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class Unauthorized(ApiError):
    status = 401
    title = "Unauthorized"
    code = "unauthorized"


class Forbidden(ApiError):
    status = 403
    title = "Forbidden"
    code = "forbidden"


class NotFound(ApiError):
    status = 404
    title = "Not Found"
    code = "not-found"


class Conflict(ApiError):
    status = 409
    title = "Conflict"
    code = "conflict"


class PayloadTooLarge(ApiError):
    status = 413
    title = "Payload Too Large"
    code = "payload-too-large"


class TooManyRequests(ApiError):
    status = 429
    title = "Too Many Requests"
    code = "too-many-requests"
    retryable = True


class ModelFailed(ApiError):
    """No 5xx on purpose: clients send a request that got one again, and tools would run again."""

    status = 424
    title = "Failed Dependency"
    code = "model-failed"


class Misconfigured(ApiError):
    code = "misconfigured"


class Unavailable(ApiError):
    status = 503
    title = "Service Unavailable"
    code = "unavailable"
    retryable = True


class PortTaken(Exception):
    """The API cannot listen where it should."""

    code: ClassVar[str] = "port-taken"
    retryable: ClassVar[bool] = False


class BadSecretKey(Exception):
    """VOXBUS_SECRET_KEY is no key, or not the one that secrets were stored with."""

    code: ClassVar[str] = "bad-secret-key"
    retryable: ClassVar[bool] = False
