"""Bodies of `/credential`: what each provider needs. Pure; other fields are kept, secrets are never shown."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.problems import read_with
from voxbus_control_api.secret_names import without_secrets

Json = dict[str, Any]

_BY_KEY_ALONE: Final = (
    "11labs anthropic anyscale assembly-ai cartesia cerebras deepgram deepinfra deep-seek gladia gohighlevel google "
    "groq hume inflection-ai inworld lmnt microsoft mistral neuphonic openai openrouter perplexity-ai rime-ai runpod "
    "smallest-ai soniox speechmatics tavus telnyx together-ai trieve wellsaid xai"
)
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    **{provider: ("apiKey",) for provider in _BY_KEY_ALONE.split()},
    "anthropic-bedrock": ("region",),
    "azure": ("service",),
    "azure-openai": ("region", "openAIKey", "openAIEndpoint"),
    "byo-sip-trunk": (),
    "cloudflare": (),
    "custom-credential": (),
    "custom-llm": ("apiKey",),
    "email": ("email",),
    "gcp": (),
    "ghl.oauth2-authorization": (),
    "google.calendar.oauth2-authorization": ("authorizationId",),
    "google.calendar.oauth2-client": (),
    "google.sheets.oauth2-authorization": ("authorizationId",),
    "langfuse": ("publicKey", "apiKey", "apiUrl"),
    "make": ("teamId", "region", "apiKey"),
    "minimax": ("apiKey", "groupId"),
    "playht": ("apiKey", "userId"),
    "s3": ("awsAccessKeyId", "awsSecretAccessKey", "region", "s3BucketName", "s3PathPrefix"),
    "s3-compatible": (),
    "slack-webhook": ("webhookUrl",),
    "slack.oauth2-authorization": ("authorizationId",),
    "supabase": (),
    "twilio": ("accountSid",),
    "vonage": ("apiKey", "apiSecret"),
    "webhook": (),
}
"""Texts that must be given; providers whose row is empty need objects, or nothing."""

PROVIDERS: Final = tuple(sorted(_NEEDS))

_OBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "anthropic-bedrock": ("authenticationPlan",),
    "custom-credential": ("authenticationPlan",),
    "gcp": ("gcpKey",),
    "ghl.oauth2-authorization": ("authenticationSession",),
    "s3-compatible": ("bucketPlan",),
    "webhook": ("authenticationPlan",),
}
_PLANS: Final[dict[str, tuple[str, ...]]] = {
    "oauth2": ("url", "clientId", "clientSecret"),
    "hmac": ("secretKey", "algorithm"),
    "bearer": ("token",),
    "aws-iam": ("awsAccessKeyId", "awsSecretAccessKey"),
    "aws-sts": ("roleArn",),
}
_NAME: Final[Json] = {"type": "string", "minLength": 1, "maxLength": 40}
_PLAN: Final[Json] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type", *fields],
            "properties": {"type": {"enum": [kind]}, **{name: {"type": "string", "minLength": 1} for name in fields}},
        }
        for kind, fields in _PLANS.items()
    ]
}
_IDENTIFIERS: Final = {"vonage": ("apiKey",)}
"""What is called a key and is none: the public API shows it."""

_OWN_FIELDS: Final = ("id", "orgId", "createdAt", "updatedAt")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)


class Gateway(_Part):
    """Where a SIP trunk's calls come from and go to: an IPv4 address or, for outbound calls only, a host name."""

    ip: Annotated[str, Field(max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 5060
    netmask: Annotated[int, Field(ge=24, le=32)] = 32
    inbound_enabled: bool = True
    outbound_enabled: bool = True
    outbound_protocol: Literal["udp", "tcp", "tls", "tls/srtp"] = "udp"
    options_ping_enabled: bool = False

    @field_validator("ip")
    @classmethod
    def _is_host(cls, ip: str) -> str:
        if not _HOST.fullmatch(ip):
            raise ValueError("must be an IPv4 address or a host name")
        return ip


class SipRegisterPlan(_Part):
    domain: str | None = None
    username: str | None = None
    realm: str | None = None


class OutboundAuthenticationPlan(_Part):
    auth_username: str | None = None
    auth_password: str | None = None
    sip_register_plan: SipRegisterPlan | None = None


class SipTrunk(_Part):
    """`byo-sip-trunk`."""

    gateways: Annotated[list[Gateway], Field(min_length=1, max_length=100)]
    outbound_authentication_plan: OutboundAuthenticationPlan | None = None
    outbound_leading_plus_enabled: bool = False
    tech_prefix: Annotated[str | None, Field(max_length=10_000)] = None
    sip_diversion_header: Annotated[str | None, Field(max_length=10_000)] = None


def checked_credential(body: Json) -> Json:
    """The body without our own fields and without nulls; raises BadRequest naming every offending field."""
    given = {name: value for name, value in body.items() if name not in _OWN_FIELDS and value is not None}
    provider = given.get("provider")
    if not isinstance(provider, str) or provider not in _NEEDS:
        raise BadRequest(f"provider must be one of the following values: {', '.join(PROVIDERS)}")
    problems = [f"{name} must be a string that is not empty" for name in _NEEDS[provider] if not _is_text(given, name)]
    problems += [f"{name} must be an object" for name in _OBJECTS.get(provider, ()) if not _is_object(given, name)]
    name = given.get("name", "a")
    if not isinstance(name, str) or not 1 <= len(name) <= 40:
        problems.append("name must be a string of 1 to 40 characters")
    problems += _plan_problems(given.get("authenticationPlan"))
    read_with(problems, SipTrunk if provider == "byo-sip-trunk" else _Part, given)
    return given


def credential_schemas() -> list[Json]:
    """What may be posted, one JSON schema for all providers that need the same."""
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for provider in PROVIDERS:
        if provider != "byo-sip-trunk":
            alike.setdefault((_NEEDS[provider], _OBJECTS.get(provider, ())), []).append(provider)
    found = [_schema(providers, texts, objects) for (texts, objects), providers in alike.items()]
    trunk = SipTrunk.model_json_schema()
    fields = {"provider": {"enum": ["byo-sip-trunk"]}, "name": _NAME, **trunk["properties"]}
    return [*found, {**trunk, "properties": fields, "required": ["provider", *trunk["required"]]}]


def _schema(providers: list[str], texts: tuple[str, ...], objects: tuple[str, ...]) -> Json:
    fields: Json = {"provider": {"enum": providers}, "name": _NAME}
    fields |= {name: {"type": "string", "minLength": 1} for name in texts}
    fields |= {name: _PLAN if name == "authenticationPlan" else {"type": "object"} for name in objects}
    return {"type": "object", "required": ["provider", *texts, *objects], "properties": fields}


def shown_credential(body: Json) -> Json:
    """What answers may hold."""
    provider = str(body.get("provider"))
    return {**without_secrets(body), **{name: body[name] for name in _IDENTIFIERS.get(provider, ()) if name in body}}


def _plan_problems(plan: Any) -> list[str]:
    if not isinstance(plan, dict):
        return []
    kind = plan.get("type")
    if not isinstance(kind, str) or kind not in _PLANS:
        return [f"authenticationPlan.type must be one of the following values: {', '.join(sorted(_PLANS))}"]
    return [
        f"authenticationPlan.{name} must be a string that is not empty"
        for name in _PLANS[kind]
        if not _is_text(plan, name)
    ]


def _is_text(body: Json, name: str) -> bool:
    return isinstance(body.get(name), str) and body[name] != ""


def _is_object(body: Json, name: str) -> bool:
    return isinstance(body.get(name), dict)
