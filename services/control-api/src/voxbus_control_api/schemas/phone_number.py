"""Phone numbers by their `provider`."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_control_api.schemas.destinations import Destination
from voxbus_control_api.schemas.fields import E164, Name40, SipUri, checked_e164
from voxbus_control_api.schemas.hooks import NumberHook
from voxbus_control_api.schemas.server import ServerBody

Number = Annotated[str, Field(min_length=1, max_length=40)]


class _PhoneNumber(ApiModel):
    """What every number has: who answers, and where calls go when nobody can."""

    name: Name40 | None = None
    assistant_id: str | None = None
    squad_id: str | None = None
    workflow_id: str | None = None
    server: ServerBody | None = None
    fallback_destination: Destination | None = None
    hooks: tuple[NumberHook, ...] = ()
    sms_enabled: bool | None = None


class TwilioNumber(_PhoneNumber):
    """The account's token, or a key and its secret."""

    provider: Literal["twilio"]
    number: E164
    twilio_account_sid: Annotated[str, Field(min_length=1)]
    twilio_auth_token: str | None = None
    twilio_api_key: str | None = None
    twilio_api_secret: str | None = None


class _BoughtNumber(_PhoneNumber):
    """A number at a carrier whose credential is stored."""

    number: E164
    credential_id: str


class VonageNumber(_BoughtNumber):
    """A number at Vonage."""

    provider: Literal["vonage"]


class TelnyxNumber(_BoughtNumber):
    """A number at Telnyx."""

    provider: Literal["telnyx"]


class ByoNumber(_PhoneNumber):
    """A number behind the customer's own SIP trunk."""

    provider: Literal["byo-phone-number"]
    number_e164_check_enabled: bool = True
    number: Number | None = None
    credential_id: str

    @field_validator("number")
    @classmethod
    def _is_e164_when_asked(cls, number: str | None, info: ValidationInfo) -> str | None:
        return checked_e164(number) if number and info.data.get("number_e164_check_enabled") else number


class SipAuthentication(ApiModel):
    """Digest credentials a caller must have."""

    realm: str | None = None
    username: Annotated[str, Field(min_length=20, max_length=40)]
    password: Annotated[str, Field(min_length=20, max_length=40)]


class SipNumber(_PhoneNumber):
    """A SIP address of this installation. It has no numbers to give away, so an area code is of no use."""

    provider: Literal["vapi"]
    sip_uri: SipUri | None = None
    authentication: SipAuthentication | None = None
    number_desired_area_code: Annotated[str | None, Field(pattern=r"^\d{3}$")] = None

    @field_validator("number_desired_area_code")
    @classmethod
    def _cannot_be_had(cls, _code: str | None) -> str | None:
        if _code is not None:
            raise ValueError("cannot be served: this server sells no phone numbers; give sipUri")
        return _code


PHONE_NUMBER_TYPES: Final = {
    "twilio": TwilioNumber,
    "vonage": VonageNumber,
    "telnyx": TelnyxNumber,
    "byo-phone-number": ByoNumber,
    "vapi": SipNumber,
}


class OtherNumber(_PhoneNumber):
    """Any other provider: kept and given back."""

    provider: Annotated[str, Field(json_schema_extra={"not": {"enum": [*PHONE_NUMBER_TYPES]}})]
    number: Number | None = None


def _tag(value: Any) -> str:
    provider = value.get("provider") if isinstance(value, dict) else getattr(value, "provider", None)
    return f"~{provider}" if isinstance(provider, str) and provider in PHONE_NUMBER_TYPES else "~other"


PhoneNumberBody = Annotated[
    Annotated[TwilioNumber, Tag("~twilio")]
    | Annotated[VonageNumber, Tag("~vonage")]
    | Annotated[TelnyxNumber, Tag("~telnyx")]
    | Annotated[ByoNumber, Tag("~byo-phone-number")]
    | Annotated[SipNumber, Tag("~vapi")]
    | Annotated[OtherNumber, Tag("~other")],
    Discriminator(_tag),
]
