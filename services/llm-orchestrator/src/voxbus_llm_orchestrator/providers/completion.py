"""What an OpenAI-compatible server answers, made into parts of a reply. Pure: bytes in, parts out.

Understood: a stream of `chat.completion.chunk` events, with or without `[DONE]`, and one whole `chat.completion`.
Source: OpenAI API reference, chat completions (August 2026).
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxbus_llm_orchestrator.providers.sse import EventStream
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnauthorized, ProviderUnavailable
from voxbus_providers.model import EndOfCall, ModelPart, ModelUsage, TextDelta, ToolCall

END_CALL: Final = "endCall"
"""The function that means EndOfCall."""

_MAX_HELD_CHARACTERS: Final = 8 * 1024 * 1024
_WORTH_A_RETRY: Final = frozenset({408, 409, 425, 429})
_UNAUTHORIZED: Final = 401
_REJECTIONS: Final = frozenset(
    {"invalid_request_error", "authentication_error", "permission_error", "not_found_error", "invalid_api_key"}
)
_HARMLESS_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


def refusal(provider: str, status: int, body: bytes) -> ProviderError:
    """The error for an HTTP status other than 2xx. Of the body only `error.code` or `error.type` is told."""
    code = _error_code(_json_or_none(body))
    detail = f"answered {status}" + (f" ({code})" if code else "")
    if status in _WORTH_A_RETRY or status >= 500:
        return ProviderUnavailable(provider, detail)
    return (ProviderUnauthorized if status == _UNAUTHORIZED else ProviderRejected)(provider, detail)


def _json_or_none(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _error_code(answer: Any) -> str:
    """`error.code` or `error.type` when it is a code and not a sentence: sentences may repeat keys and prompts."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return ""
    codes = (str(error.get(name) or "") for name in ("code", "type"))
    return next((code for code in codes if _HARMLESS_CODE.fullmatch(code)), "")


@dataclass(slots=True)
class _CallDraft:
    """A tool call of which more may come."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


class CompletionReader:
    """Reads one answer. Text comes out as it comes in; tool calls, end of call and usage at the end, in that order.

    Raises ProviderUnavailable when the answer is broken, or an error the server reports inside it; ProviderRejected
    when a tool call cannot be understood.
    """

    def __init__(self, provider: str, end_call_names: frozenset[str] = frozenset({END_CALL})) -> None:
        self._provider = provider
        self._end_call_names = end_call_names
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._events = EventStream()
        self._whole: list[str] | None = None
        self._held = 0
        self._sniffed = False
        self._drafts: list[_CallDraft] = []
        self._usage: ModelUsage | None = None
        self._was_cut_short = False
        self._has_answered = False
        self.has_begun = False
        """The first piece of text or of a tool call is there."""
        self.is_done = False
        """The server said `[DONE]`."""

    def push(self, chunk: bytes) -> Iterator[ModelPart]:
        """Parts completed by `chunk`; consume all of them before the next push."""
        text = self._decoder.decode(chunk)
        if not self._sniffed:
            text = text.lstrip()
            self._sniffed = bool(text)
            self._whole = [] if text.startswith("{") else None
        if self._whole is not None:
            self._whole.append(text)
            self._held += len(text)
        else:
            yield from self._read(self._events.push(text))
            self._held = self._events.held_characters
        if self._held > _MAX_HELD_CHARACTERS:
            raise ProviderUnavailable(self._provider, f"sent more than {_MAX_HELD_CHARACTERS} characters in one piece")

    def finish(self) -> Iterator[ModelPart]:
        """What is left when the server has said everything."""
        payloads = self._events.finish() if self._whole is None else ["".join(self._whole)]
        yield from self._read(payloads)
        if not self._has_answered:
            raise ProviderUnavailable(self._provider, "ended the answer without saying anything")
        calls = [self._complete(draft) for draft in self._drafts]
        yield from (call for call in calls if call.name not in self._end_call_names)
        if any(call.name in self._end_call_names for call in calls):
            yield EndOfCall()
        if self._usage:
            yield self._usage

    def _read(self, payloads: Sequence[str]) -> Iterator[ModelPart]:
        for payload in payloads:
            if self.is_done:
                return
            if payload.strip() == "[DONE]":
                self.is_done = True
            elif payload.strip():
                yield from self._read_completion(_json_or_none(payload))

    def _read_completion(self, completion: Any) -> Iterator[ModelPart]:
        if not isinstance(completion, dict):
            raise ProviderUnavailable(self._provider, "sent a chunk that is no JSON object")
        if completion.get("error"):
            raise self._reported(completion)
        self._has_answered = True
        usage = completion.get("usage")
        if isinstance(usage, dict):
            self._usage = _usage(usage)
        choices = completion.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(first, dict) and not first.get("index"):
            yield from self._read_choice(first)

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[ModelPart]:
        self._was_cut_short |= choice.get("finish_reason") == "length"
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, dict):
            return
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict):
                self._add_to_draft(call)
        text = _text(delta.get("content"))
        if text:
            self.has_begun = True
            yield TextDelta(text)

    def _reported(self, answer: dict[str, Any]) -> ProviderError:
        """The error for an answer that begins well and then reports one."""
        code = _error_code(answer)
        if code.isdecimal() and 400 <= int(code) < 600:
            return refusal(self._provider, int(code), b"")
        kind = ProviderRejected if code in _REJECTIONS else ProviderUnavailable
        return kind(self._provider, f"reported an error in its answer ({code or 'without a code'})")

    def _add_to_draft(self, delta: dict[str, Any]) -> None:
        self.has_begun = True
        index = delta.get("index")
        call_id = str(delta.get("id") or "")
        draft = self._draft(index if isinstance(index, int) else None, call_id)
        draft.id = draft.id or call_id
        function = delta.get("function")
        if isinstance(function, dict):
            draft.name = draft.name or str(function.get("name") or "")
            arguments = function.get("arguments")
            draft.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""

    def _draft(self, index: int | None, call_id: str) -> _CallDraft:
        """The call a delta goes on with: the last of its index, unless its id says that it is another one."""
        for draft in reversed(self._drafts):
            same_id = not call_id or not draft.id or call_id == draft.id
            if same_id and (index is None or draft.index == index):
                return draft
        self._drafts.append(_CallDraft(index))
        return self._drafts[-1]

    def _complete(self, draft: _CallDraft) -> ToolCall:
        if not draft.name:
            raise ProviderRejected(self._provider, "tool call without a name")
        arguments = _json_or_none(draft.arguments) if draft.arguments.strip() else {}
        if not isinstance(arguments, dict):
            why = "; the answer was cut off at model.maxTokens" if self._was_cut_short else ""
            raise ProviderRejected(
                self._provider, f"tool call '{draft.name[:64]}': its arguments are no JSON object{why}"
            )
        return ToolCall(draft.id, draft.name, arguments)


def _text(content: Any) -> str:
    """A text, or a list of parts of which those of type text count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(usage: dict[str, Any]) -> ModelUsage:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return ModelUsage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
