"""Language models.

A reply is a stream of parts: (TextDelta | ToolCall)*, ModelUsage?, in the order the model said them.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from voxbus_contracts.assistant import Model
from voxbus_contracts.tool import Tool


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants this function run. `id` is the model's own, unique in the reply; may be empty."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of what is to be said."""

    text: str


@dataclass(frozen=True, slots=True)
class EndOfCall:
    """The reply ends the call once it was heard."""


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Tokens of the whole reply."""

    prompt_tokens: int
    completion_tokens: int
    cached_prompt_tokens: int = 0


ModelPart = TextDelta | ToolCall | EndOfCall | ModelUsage


Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation as the model sees it.

    `tool_calls` only with role assistant; `tool_call_id` and `tool_name` only with role tool, whose `content` is the
    result; `failed` marks a tool's error.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """The tenant's own way in at the model's server, and what that server is told of the call.

    `api_key` is open; `authentication` is an authenticationPlan whose secrets may be sealed. `about` holds `call`,
    `customer`, `phoneNumber` and `metadata` in the public API's shapes, for custom endpoints.
    """

    api_key: str = field(default="", repr=False)
    authentication: Mapping[str, Any] | None = field(default=None, repr=False)
    about: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


NO_ACCESS = ModelAccess()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What to answer. `call` is the call's id, for custom endpoints."""

    model: Model
    messages: tuple[Turn, ...]
    tools: tuple[Tool, ...]
    call: str
    org: str = ""
    access: ModelAccess = NO_ACCESS


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """What a model can do."""

    tools: bool = True
    follows_prompts: bool = True
    """It can be asked anything, not only what its script foresees."""
    deterministic: bool = False
    """The same request gives the same parts: an answer cut off by a fault is asked for again and continued."""


class LanguageModel(ABC):
    """One model provider in one worker process."""

    name: ClassVar[str]
    capabilities: ClassVar[ModelCapabilities] = ModelCapabilities()

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[ModelPart]:
        """Parts as they come; closing the iterator aborts the request. Raises ProviderError."""

    @abstractmethod
    async def close(self) -> None: ...
