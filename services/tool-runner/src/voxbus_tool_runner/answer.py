"""The answer of a customer's server → what the model is told. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_contracts.events import ToolSays
from voxbus_tool_runner.errors import BadAnswer

LONGEST_RESULT: Final = 100_000
"""Characters of a result that are kept: more fits neither a prompt nor a message of the bus (1 MiB)."""

LONGEST_MESSAGE: Final = 1_000
"""Characters of what a server may have said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Exactly one of result and error is there, one line each; `message` is what the server wants to be said."""

    result: str | None = None
    error: str | None = None
    message: ToolSays | None = None
    value: Any = field(default=None, compare=False)
    """The result as it came."""
    variables: dict[str, Any] = field(default_factory=dict[str, Any])


def read_answer(status: int, body: bytes, tool_call_id: str) -> Answer:
    """`{results: [{toolCallId, result | error}]}`, or the older `{result}`. Raises BadAnswer."""
    if status != 200:
        raise BadAnswer(f"The tool's server answered with status {status}.")
    try:
        parsed = json.loads(body)
    except ValueError:
        raise BadAnswer("The tool's server did not answer in JSON.") from None
    if not isinstance(parsed, dict):
        raise BadAnswer("The tool's server did not answer with an object.")
    entry: dict[str, Any] = _entry(parsed["results"], tool_call_id) if "results" in parsed else parsed
    says = _message(entry.get("message"))
    if entry.get("error"):
        return Answer(error=one_line(entry["error"]), message=says)
    if entry.get("result") is None:
        raise BadAnswer("The tool's server gave no result.")
    return Answer(result=one_line(entry["result"]), message=says, value=entry["result"])


def _message(message: Any) -> ToolSays | None:
    """Words the server sends along; what is no such message is no reason to lose the result."""
    found = message[0] if isinstance(message, list) and message else message
    if not isinstance(found, dict) or not isinstance(found.get("content"), str) or not found["content"].strip():
        return None
    return ToolSays(
        content=one_line(found["content"])[:LONGEST_MESSAGE],
        role="system" if found.get("role") == "system" else "assistant",
        end_call_after_spoken=found.get("endCallAfterSpokenEnabled") is True,
    )


def _entry(results: Any, tool_call_id: str) -> dict[str, Any]:
    entries = [entry for entry in results if isinstance(entry, dict)] if isinstance(results, list) else []
    for entry in entries:
        if entry.get("toolCallId") == tool_call_id:
            return entry
    if len(entries) == 1 and not entries[0].get("toolCallId"):
        return entries[0]
    raise BadAnswer("The tool's server gave no result for this call of the tool.")


def one_line(value: Any) -> str:
    """Any JSON value as one line of text, shortened to what can be kept."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_RESULT else f"{line[:LONGEST_RESULT]} … (shortened)"
