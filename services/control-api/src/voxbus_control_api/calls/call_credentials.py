"""Which credentials a call may use: those it names, those that came with it, the organisation's by provider. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

Json = dict[str, Any]

_USABLE_PLANS: Final = frozenset({"bearer", "hmac", "oauth2"})
_OURS: Final = frozenset({"vapi", "custom-voice", "custom-transcriber"})
"""Providers nobody has a key of."""
_ACCOUNT: Final = ("accountSid", "authToken", "apiKey", "apiSecret")
_NAMED: Final = "credentialId"
_NAMED_TOGETHER: Final = "credentialIds"


def named_credentials(bodies: Iterable[Any]) -> list[str]:
    """Ids that stand anywhere in these bodies, each once, in order."""
    found: dict[str, None] = {}
    for body in bodies:
        _collect(body, found)
    return list(found)


def _collect(tree: Any, found: dict[str, None]) -> None:
    if isinstance(tree, dict):
        for name, value in tree.items():
            ids = value if name == _NAMED_TOGETHER and isinstance(value, list) else [value] if name == _NAMED else []
            found.update({each: None for each in ids if isinstance(each, str) and each})
            _collect(value, found)
    elif isinstance(tree, list):
        for value in tree:
            _collect(value, found)


def providers_in(bodies: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """Vendors of model, voice and transcriber, those that stand in for them too, of whom there may be a key."""
    found: dict[str, None] = {}
    for body in bodies:
        for part in ("model", "voice", "transcriber"):
            for each in _with_stand_ins((body or {}).get(part)):
                provider = each.get("provider")
                if isinstance(provider, str) and provider not in _OURS:
                    found[provider] = None
        if "sms" in _tool_types(body or {}):
            found["twilio"] = None
    return list(found)


def _tool_types(body: Mapping[str, Any]) -> set[str]:
    """Of an assistant's tools, and a stored tool's own."""
    model = body.get("model")
    tools = model.get("tools") if isinstance(model, dict) else None
    listed = [each for each in (*(tools if isinstance(tools, list) else ()), body) if isinstance(each, dict)]
    return {str(each.get("type")) for each in listed}


def _with_stand_ins(part: Any) -> list[Json]:
    if not isinstance(part, dict):
        return []
    plan = part.get("fallbackPlan")
    listed = [part.get("fallbackModels"), *((plan or {}).values() if isinstance(plan, dict) else ())]
    others = [each for group in listed if isinstance(group, list) for each in group if isinstance(each, dict)]
    return [part, *others]


def call_credentials(
    assistant: Json, credentials: Mapping[str, Json], phone_number: Mapping[str, Any] | None = None
) -> list[Json]:
    """As they stand in a call's configuration, secrets still open: those of the assistant first, its number's behind.

    `credentials`: by id, in the order in which they count. What no stage can use is left out.
    """
    inline = assistant.get("credentials")
    own = [each for each in inline if isinstance(each, dict)] if isinstance(inline, list) else []
    found = [("", each) for each in own] + list(credentials.items()) + [("", each) for each in _of_number(phone_number)]
    return [_usable(credential_id, body) for credential_id, body in found if isinstance(body.get("provider"), str)]


def _usable(credential_id: str, body: Json) -> Json:
    plan, key = body.get("authenticationPlan"), body.get("apiKey")
    is_plan = isinstance(plan, dict) and plan.get("type") in _USABLE_PLANS
    account = {name: body[name] for name in _ACCOUNT if isinstance(body.get(name), str)}
    return {
        "id": credential_id,
        "provider": body["provider"],
        "api_key": key if isinstance(key, str) else "",
        "authentication": plan if is_plan else None,
        **({"account": account} if body["provider"] == "twilio" else {}),
    }


def _of_number(phone_number: Mapping[str, Any] | None) -> list[Json]:
    """The carrier's account of a Twilio number, which text messages may be sent by."""
    number = phone_number or {}
    if not number.get("twilioAccountSid"):
        return []
    named = {name: number.get(f"twilio{name[0].upper()}{name[1:]}") for name in _ACCOUNT}
    return [{"provider": "twilio", **{name: value for name, value in named.items() if value}}]
