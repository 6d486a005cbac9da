"""Kinds of values that many bodies have."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

_URL: Final = re.compile(r"^$|^(https?|wss?)://[^\s/?#]+[^\s]*$|\{\{")
_SIP: Final = re.compile(r"^sips?:[^\s@]+@[^\s@]+$|\{\{", re.IGNORECASE)
_E164: Final = re.compile(r"^\+[1-9][0-9]{1,14}$")

Json = dict[str, Any]


def _url(text: str) -> str:
    if not _URL.search(text):
        raise ValueError("must be a valid URL with its scheme, as in https://example.com/hook")
    return text


def _sip_uri(text: str) -> str:
    if not _SIP.search(text):
        raise ValueError("must be a valid SIP address, as in sip:user@example.com")
    return text


def checked_e164(text: str) -> str:
    """Raises ValueError."""
    if not _E164.fullmatch(text):
        raise ValueError("must be a valid phone number in E.164 form, as in +14155552671")
    return text


Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": _URL.pattern})]
"""http, https, ws or wss; or a template, which is an address only once it is filled in. Empty is none."""

SipUri = Annotated[str, AfterValidator(_sip_uri), WithJsonSchema({"type": "string", "pattern": r"^sips?:|\{\{"})]

E164 = Annotated[str, AfterValidator(checked_e164), WithJsonSchema({"type": "string", "pattern": _E164.pattern})]

Name40 = Annotated[str, Field(max_length=40)]
Sentence = Annotated[str, Field(max_length=1000)]
"""Something the assistant says as it stands."""

JsonSchema = Annotated[Json, Field(description="a JSON Schema")]
