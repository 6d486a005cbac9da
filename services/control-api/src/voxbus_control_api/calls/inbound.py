"""What a customer's server answers to `assistant-request`, and what is done where no assistant comes of it. Pure.

Source: the public API's assistant-request, its answer, `fallbackDestination` of phone numbers, and ended reasons.
"""

from typing import Any, Final

from pydantic import ValidationError

from voxbus_contracts.config import Verdict
from voxbus_control_api.call_request import SPEAKERS
from voxbus_control_api.calls.outside import OUTSIDE, outside
from voxbus_control_api.errors import BadRequest

Json = dict[str, Any]

ASKED_WITHIN_S: Final = 7.5
"""Carriers give a call up soon after."""

NEITHER_SET: Final = "call-start-error-neither-assistant-nor-server-set"
FAILED: Final = "assistant-request-failed"
RETURNED_ERROR: Final = "assistant-request-returned-error"
UNSPEAKABLE: Final = "assistant-request-returned-unspeakable-error"
INVALID: Final = "assistant-request-returned-invalid-assistant"
NO_ASSISTANT: Final = "assistant-request-returned-no-assistant"
FORWARDED: Final = "assistant-request-returned-forwarding-phone-number"
NOT_VALID: Final = "assistant-not-valid"

APOLOGY: Final = "I am sorry, this call cannot be answered right now. Please try again later. Goodbye."
"""What callers hear where nobody said what they should hear."""

_WANTED: Final = ("assistantId", "assistant", "squadId", "squad", "destination", "error")
_TAKEN: Final = (*SPEAKERS, "workflowId", "workflow", "assistantOverrides", "squadOverrides")
_OWN_WISH: Final = (RETURNED_ERROR, FORWARDED)
_LONGEST_ERROR: Final = 2_000


class Nobody(Exception):
    """No assistant takes the call."""

    def __init__(self, reason: str, problem: str, *, say: str = APOLOGY, destination: Json | None = None) -> None:
        super().__init__(problem)
        self.verdict = Verdict(reason=reason, say=say, destination=destination or {}, problem=problem)


def understood(answer: Json) -> Json:
    """Who speaks, as a call's request names it. An error comes before a destination, that before any assistant.

    Raises Nobody.
    """
    given = {name: value for name, value in answer.items() if value is not None}
    if "error" in given:
        raise _declined(given["error"])
    if "destination" in given:
        raise _forwarded(given["destination"])
    who = {name: given[name] for name in _TAKEN if name in given}
    if not any(name in who for name in (*SPEAKERS, "workflowId", "workflow")):
        raise Nobody(NO_ASSISTANT, f"The answer has none of {', '.join(_WANTED)}.")
    return who


def with_fallback(verdict: Verdict, phone_number: Json) -> Verdict:
    """The call goes to the number's `fallbackDestination`, unless the customer's server wished otherwise."""
    fallback = phone_number.get("fallbackDestination")
    if verdict.reason in _OWN_WISH or not isinstance(fallback, dict):
        return verdict
    try:
        leaving = _leaving(fallback)
    except (BadRequest, ValidationError):
        return verdict
    return verdict.model_copy(update=leaving)


def _declined(error: Any) -> Nobody:
    if isinstance(error, str) and error.strip():
        return Nobody(RETURNED_ERROR, error.strip()[:_LONGEST_ERROR], say=error.strip()[:_LONGEST_ERROR])
    return Nobody(UNSPEAKABLE, "error must be a text: it is spoken to the caller.")


def _forwarded(destination: Any) -> Nobody:
    if not isinstance(destination, dict) or destination.get("type") not in OUTSIDE:
        return Nobody(INVALID, f"destination.type must be one of the following values: {', '.join(OUTSIDE)}")
    try:
        return Nobody(FORWARDED, "", **_leaving(destination))
    except BadRequest as wrong:
        return Nobody(INVALID, str(wrong))
    except ValidationError as wrong:
        fields = ", ".join(".".join(map(str, each["loc"])) for each in wrong.errors(include_input=False))
        return Nobody(INVALID, f"destination cannot be used: {fields}")


def _leaving(destination: Json) -> Json:
    """What is said before, if anything, and where to. Raises BadRequest, ValidationError."""
    message = destination.get("message")
    said = message.get("content") if isinstance(message, dict) else message
    return {"say": said if isinstance(said, str) else "", "destination": outside(destination)}
