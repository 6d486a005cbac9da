"""What chats and sessions are asked for with. Pure; unknown fields are kept and echoed."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from voxbus_control_api.overrides import Json, without_nulls
from voxbus_control_api.problems import read_with

DEFAULT_EXPIRATION_S = 86_400

_NOT_YET = ("workflowId", "workflow")
_SPEAKERS = ("assistantId", "assistant", "squadId", "squad")
_Expiration = Annotated[float, Field(ge=60, le=2_592_000)]
_Name = Annotated[str | None, Field(max_length=40)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)


class ChatRequest(_Request):
    """Body of `POST /chat` and, with OpenAI's fields beside, of `POST /chat/responses`."""

    input: str | list[Any]
    assistant_id: str | None = None
    assistant: dict[str, Any] | None = None
    squad_id: str | None = None
    squad: dict[str, Any] | None = None
    assistant_overrides: dict[str, Any] = {}
    session_id: str | None = None
    previous_chat_id: str | None = None
    name: _Name = None
    stream: bool = False


class WebChatRequest(_Request):
    """Body of `POST /chat/web` and `POST /chat/web/responses`: from a page, with a public key."""

    input: str | list[Any]
    assistant_id: str | None = None
    assistant: dict[str, Any] | None = None
    assistant_overrides: dict[str, Any] = {}
    session_id: str | None = None
    session_expiration_seconds: _Expiration | None = None
    customer: dict[str, Any] | None = None
    stream: bool = False
    session_end: bool = False


class SessionRequest(_Request):
    """Body of `POST /session`."""

    name: _Name = None
    status: Literal["active", "completed"] = "active"
    expiration_seconds: _Expiration = DEFAULT_EXPIRATION_S
    assistant_id: str | None = None
    assistant: dict[str, Any] | None = None
    squad_id: str | None = None
    squad: dict[str, Any] | None = None
    assistant_overrides: dict[str, Any] = {}
    messages: list[Any] = []
    customer: dict[str, Any] | None = None
    customer_id: str | None = None
    phone_number_id: str | None = None
    phone_number: dict[str, Any] | None = None


class SessionPatch(BaseModel):
    """Body of `PATCH /session/{id}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    name: _Name = None
    status: Literal["active", "completed"] | None = None
    expiration_seconds: _Expiration | None = None
    messages: list[Any] | None = None


def parse_chat(body: Json) -> ChatRequest:
    """Raises BadRequest naming every offending field."""
    given = without_nulls(body)
    problems = _not_yet(given)
    speakers = [name for name in _SPEAKERS if name in given]
    if "sessionId" in given and "previousChatId" in given:
        problems.append("sessionId and previousChatId must not be given together")
    if len(speakers) > 1:
        problems.append(f"{' and '.join(speakers)} must not be given together")
    if "sessionId" in given:
        others = [name for name in speakers if name != "assistantId"]
        problems += [f"{name} must be left out: a session has its own" for name in others]
    if not speakers and "sessionId" not in given and "previousChatId" not in given:
        problems.append("one of assistantId, assistant, squadId, squad, sessionId and previousChatId must be given")
    return read_with(problems, ChatRequest, given)


def parse_web_chat(body: Json) -> WebChatRequest:
    """Raises BadRequest naming every offending field."""
    given = without_nulls(body)
    problems = [f"{name} is not supported for web chats" for name in ("squadId", "squad") if name in given]
    problems += _not_yet(given)
    if ("assistantId" in given) == ("assistant" in given) and not ("sessionId" in given and "assistant" not in given):
        problems.append("exactly one of assistantId and assistant must be given")
    overrides = given.get("assistantOverrides")
    if isinstance(overrides, dict):
        others = [name for name in overrides if name != "variableValues"]
        problems += [f"assistantOverrides.{name} should not exist: only variableValues may be given" for name in others]
    return read_with(problems, WebChatRequest, given)


def parse_session(body: Json) -> SessionRequest:
    """Raises BadRequest naming every offending field."""
    given = without_nulls(body)
    problems = _not_yet(given)
    if not problems and len([name for name in _SPEAKERS if name in given]) != 1:
        problems.append("exactly one of assistantId, assistant, squadId and squad must be given")
    return read_with(problems, SessionRequest, given)


def _not_yet(given: Json) -> list[str]:
    return [f"{name} is not supported by this server" for name in _NOT_YET if name in given]
