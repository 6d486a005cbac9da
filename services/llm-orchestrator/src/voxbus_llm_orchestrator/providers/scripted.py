"""The scripted model: answers by the rules of voxbus_contracts.script.

What it says follows from the messages alone. The conversation is folded from its start: at every moment at which the
model was to answer (each message of the caller, each run of tool answers) the rule that fits is found again, its slots
are remembered and it counts as having answered once more. What the assistant said, heard or not, and system messages
change nothing; so asking again with the same messages of caller and tools gives the same answer, also after a
takeover or an interruption.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Final

from voxbus_contracts.script import RESULT, Rule, Script, ScriptedCall
from voxbus_providers.model import (
    EndOfCall,
    LanguageModel,
    ModelCapabilities,
    ModelPart,
    ModelRequest,
    ModelUsage,
    TextDelta,
    ToolCall,
    Turn,
)

DEFAULT_SCRIPT: Final = Script(
    rules=(
        Rule(turn=0, say="Hello, how can I help you?"),
        Rule(when=r"\b(?:goodbye|good bye|bye)\b", say="Goodbye, have a nice day.", end_call=True),
        Rule(when=r"^\W*(?:hello|hi|hey)(?: there)?\W*$", say="Hello, how can I help you?"),
        Rule(when=r"(?P<heard>\w.*?)[\s.!?]*$", say="You said: {{heard}}."),
    )
)
"""For an assistant without a script: greets, repeats what it heard, and hangs up after a goodbye."""

_TOKEN = re.compile(r"\s*\S+\s*\Z|\s*\S+")
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """What the script answers. `rule` counts from 0, None = otherwise; `slots` is what is remembered afterwards."""

    text: str
    tool_call: ToolCall | None = None
    end_call: bool = False
    rule: int | None = None
    slots: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Moment:
    """The model is to answer: in the `turn`-th turn of the caller, who last `said` that; `tools` have just answered."""

    turn: int
    said: str
    tools: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fit:
    """The rule that answers, the slots of its pattern, and the tool's answer it takes."""

    rule: Rule
    index: int | None
    captured: Mapping[str, str] = field(default_factory=dict[str, str])
    tool: Turn | None = None


def answer(script: Script, messages: Sequence[Turn]) -> ScriptedAnswer:
    """What the script says to the last message of the caller or the tool answers after it."""
    slots: dict[str, str] = {}
    answered: Counter[int | None] = Counter()
    moments = _moments(messages)
    for moment in moments[:-1]:
        fit = _first_fit(script, moment, slots)
        slots = _remembered(fit, slots)
        answered[fit.index] += 1
    fit = _first_fit(script, moments[-1], slots)
    known = {**slots, **fit.captured}
    call = fit.rule.call
    return ScriptedAnswer(
        text=_fill(_in_turn(fit.rule.say, answered[fit.index]), known, fit.tool),
        tool_call=_tool_call(call, len(moments), known, fit.tool) if call else None,
        end_call=fit.rule.end_call,
        rule=fit.index,
        slots=_remembered(fit, slots),
    )


def _moments(messages: Iterable[Turn]) -> list[_Moment]:
    moments: list[_Moment] = []
    turn, said, previous = 0, "", ""
    for message in messages:
        if message.role == "user":
            turn, said = turn + 1, message.content
            moments.append(_Moment(turn, said))
        elif message.role == "tool":
            earlier = moments.pop().tools if previous == "tool" else ()
            moments.append(_Moment(turn, said, (*earlier, message)))
        previous = message.role
    return moments or [_Moment(0, "")]


def _first_fit(script: Script, moment: _Moment, slots: Mapping[str, str]) -> _Fit:
    for index, rule in enumerate(script.rules):
        fit = _fit(rule, index, moment, slots)
        if fit:
            return fit
    return _Fit(Rule(say=script.otherwise), None)


def _fit(rule: Rule, index: int, moment: _Moment, slots: Mapping[str, str]) -> _Fit | None:
    tool = _tool_taken(rule, moment.tools)
    if bool(moment.tools) != (tool is not None):
        return None
    if rule.after_tool is not None and tool is None:
        return None
    if rule.turn is not None and rule.turn != moment.turn:
        return None
    captured = _captured(rule.when, moment)
    if captured is None or any(name in slots for name in rule.lacks):
        return None
    if not all(name in slots or name in captured for name in rule.requires):
        return None
    return _Fit(rule, index, captured, tool)


def _tool_taken(rule: Rule, tools: Sequence[Turn]) -> Turn | None:
    """The last answer of the rule's tool, failed or not as the rule wants it."""
    for tool in reversed(tools):
        if tool.tool_name == rule.after_tool and rule.failed in {None, tool.failed}:
            return tool
    return None


def _captured(pattern: str | None, moment: _Moment) -> dict[str, str] | None:
    """Slots of the pattern found in the caller's words; None when it is not there."""
    if pattern is None:
        return {}
    found = _compiled(pattern).search(moment.said) if moment.turn else None
    if found is None:
        return None
    return {name: text.strip() for name, text in found.groupdict().items() if text and text.strip()}


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _remembered(fit: _Fit, slots: Mapping[str, str]) -> dict[str, str]:
    known = {**slots, **fit.captured}
    known |= {name: _fill(text, known, fit.tool) for name, text in fit.rule.set.items()}
    return {name: text for name, text in known.items() if text}


def _in_turn(texts: str | tuple[str, ...], times_before: int) -> str:
    if isinstance(texts, str):
        return texts
    return texts[times_before % len(texts)] if texts else ""


def _tool_call(call: ScriptedCall, moment: int, known: Mapping[str, str], tool: Turn | None) -> ToolCall:
    arguments = {name: _filled(value, known, tool) for name, value in call.arguments.items()}
    return ToolCall(id=f"scripted_{moment}", name=call.name, arguments=arguments)


def _filled(value: Any, known: Mapping[str, str], tool: Turn | None) -> Any:
    """`value` with the texts inside it filled in."""
    if isinstance(value, str):
        return _fill(value, known, tool)
    if isinstance(value, dict):
        return {name: _filled(inner, known, tool) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known, tool) for inner in value]
    return value


def _fill(text: str, known: Mapping[str, str], tool: Turn | None) -> str:
    def value(placeholder: re.Match[str]) -> str:
        name, _, path = placeholder[1].partition(".")
        if name == RESULT:
            return _result(tool.content, path) if tool else ""
        return known.get(placeholder[1], "")

    return _PLACEHOLDER.sub(value, text)


def _result(content: str, path: str) -> str:
    """The tool's answer, or the field of it that `path` names; "" when there is none."""
    try:
        value: Any = json.loads(content)
    except ValueError:
        return "" if path else content
    if not path:
        return value if isinstance(value, str) else content
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = None
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class ScriptedModel(LanguageModel):
    """Streams the script's answer word by word, at the script's pace.

    A token is a word with the spaces before it. Usage: a prompt has as many tokens as its messages have words, a
    completion as many as were streamed; a tool call counts as one.
    """

    name: ClassVar[str] = "scripted"
    capabilities: ClassVar[ModelCapabilities] = ModelCapabilities(deterministic=True, follows_prompts=False)

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._sleep = sleep

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """Text, then the tool call, the end of the call and the usage, as far as there are any."""
        script = request.model.script or DEFAULT_SCRIPT
        reply = answer(script, request.messages)
        await self._wait(script.pace.first_token_ms)
        tokens = 0
        for token in _TOKEN.findall(reply.text):
            if tokens:
                await self._wait(script.pace.token_ms)
            tokens += 1
            yield TextDelta(token)
        if reply.tool_call:
            tokens += 1
            yield reply.tool_call
        if reply.end_call:
            yield EndOfCall()
        yield ModelUsage(sum(len(turn.content.split()) for turn in request.messages), tokens)

    async def _wait(self, wait_ms: int) -> None:
        if wait_ms:
            await self._sleep(wait_ms / 1000)

    async def close(self) -> None:
        """Nothing is held."""
