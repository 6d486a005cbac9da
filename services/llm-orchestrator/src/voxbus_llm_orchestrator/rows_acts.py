"""Rows about tools that the call itself carries out or forbids: keys, voicemail, rejections, what MCP servers offer.

Keys and the message for a machine are replies with a cause: `tool-keys:ID`, `tool-done:REPLY`. So a new owner of the
call presses no key twice.
"""

import re
from collections.abc import Sequence
from typing import Final

from voxbus_contracts.commands import DiscoverTools, EndCall, SaySentence
from voxbus_contracts.events import KeysPressed, ReplyGenerated, ReplyStarted, ToolFinished
from voxbus_llm_orchestrator.conversation import said_before
from voxbus_llm_orchestrator.decision import Decide, View
from voxbus_llm_orchestrator.heard import is_wholly_heard
from voxbus_llm_orchestrator.rejection import REJECTED, is_rejected
from voxbus_llm_orchestrator.saying import Fixed, fixed_reply
from voxbus_llm_orchestrator.state import ToolRun
from voxbus_llm_orchestrator.tool_lines import KEYS, VOICEMAIL, one_of
from voxbus_llm_orchestrator.tools_running import ACTS, waits_for_words, wanted_tools
from voxbus_providers.model import Turn

NO_KEYS: Final = "keys must be 1 to 100 of 0-9, *, #, A-D and the pauses w and W."
NOT_ALL_KEYS: Final = "The call went on before all keys were pressed."
NOT_IN_A_CHAT: Final = "There is no telephone in a chat."

_KEYS: Final = re.compile(r"[0-9*#A-DwW]{1,100}")


def discover_tools(view: View) -> Decide | None:
    """An MCP server is asked once what it has to offer, as early as there is a call."""
    member = view.state.active
    missing = [tool for tool in view.plan.mcp_tools if (member, tool) not in view.state.discoveries]
    if not missing:
        return None
    outs = tuple(DiscoverTools(tool=tool, member=member, pts_ms=max(0, view.now_ms)) for tool in missing)
    return Decide("tools-to-discover", outs)


def reject_tool(view: View, said: Sequence[Turn] | None = None) -> Decide | None:
    """The tool's plan forbids it now: it is not run, and the model is told. `said` = of a chat."""
    for call_id, tool in wanted_tools(view.state):
        plan = view.plan.tool_plan(tool.name).rejection
        if plan is None:
            continue
        before = said_before(view.state, tool.reply) if said is None else said
        known = {**view.plan.variables, **view.state.variables, **tool.arguments}
        if is_rejected(plan, before, known, view.plan.created_at_ms):
            return Decide("tool-rejected", (_failed(call_id, tool, REJECTED),))
    return None


def press_keys(view: View) -> Decide | None:
    """Tones go to the line like a sentence, which nothing that is said there breaks off."""
    for call_id, tool in _acts(view, "dtmf"):
        cause = _keys_cause(call_id)
        if cause in view.state.carried_out or view.state.open_replies:
            continue
        keys = _keys_of(tool)
        if not _KEYS.fullmatch(keys):
            return Decide("keys-unusable", (_failed(call_id, tool, NO_KEYS),))
        state, now_ms = view.state, max(0, view.now_ms)
        number, seq = state.next_reply, state.next_utterance
        say = SaySentence(
            utterance_seq=seq,
            reply=number,
            turn=0,
            text="",
            keys=keys,
            reflex="none",
            interruptible=False,
            pts_ms=now_ms,
        )
        started = ReplyStarted(reply=number, turn=0, source=KEYS, cause=cause, pts_ms=now_ms)
        return Decide("keys-wanted", (started, say, ReplyGenerated(reply=number, utterances=(seq,))))
    return None


def tell_keys(view: View) -> Decide | None:
    """All were heard on the line, or the reply that pressed them is over before that."""
    state = view.state
    for call_id, tool in _acts(view, "dtmf"):
        reply = next((each for each in state.replies.values() if each.cause == _keys_cause(call_id)), None)
        if reply is None or not reply.ended:
            continue
        if not all(state.utterances[seq].keys and is_wholly_heard(state, seq) for seq in reply.utterances):
            return Decide("keys-broken-off", (_failed(call_id, tool, NOT_ALL_KEYS),))
        keys = _keys_of(tool)
        pressed = KeysPressed(tool_call_id=call_id, digits=keys, pts_ms=max(0, view.now_ms))
        finished = ToolFinished(
            tool_call_id=call_id,
            tool_name=tool.name,
            result=f"Pressed {keys}.",
            duration_ms=max(0, view.now_ms - tool.requested_pts_ms),
        )
        return Decide("keys-pressed", (pressed, finished))
    return None


def leave_voicemail(view: View) -> Decide | None:
    """The tool's own message, else the assistant's, is said to its end; then the call is over."""
    for call_id, tool in _acts(view, VOICEMAIL):
        line = one_of(view.plan.tool_plan(tool.name).start, tool.arguments, call_id)
        text = line.text if line is not None else view.plan.voicemail_message
        finished = ToolFinished(
            tool_call_id=call_id, tool_name=tool.name, result="The message is being left.", duration_ms=0
        )
        if not text:
            return Decide(VOICEMAIL, (finished, EndCall(reason=VOICEMAIL)))
        fixed = Fixed(text, VOICEMAIL, cause=f"tool-done:{tool.reply}", interruptible=False, end_call=True)
        return Decide(VOICEMAIL, (finished, *fixed_reply(view.state, view.plan, fixed, view.now_ms)))
    return None


def refuse_in_chat(view: View) -> Decide | None:
    """Nothing can be heard there."""
    for call_id, tool in wanted_tools(view.state):
        if view.plan.tool_plan(tool.name).kind in ACTS:
            return Decide("no-telephone", (_failed(call_id, tool, NOT_IN_A_CHAT),))
    return None


def _acts(view: View, kind: str) -> list[tuple[str, ToolRun]]:
    plan = view.plan
    return [
        (call_id, tool)
        for call_id, tool in wanted_tools(view.state)
        if plan.tool_plan(tool.name).kind == kind
        and not waits_for_words(view.state, plan.tool_plan(tool.name), call_id)
    ]


def _keys_of(tool: ToolRun) -> str:
    found = tool.arguments.get("keys", tool.arguments.get("dtmf", ""))
    return str(found).replace(" ", "").replace("-", "").replace("p", "w").strip()


def _keys_cause(call_id: str) -> str:
    return f"tool-keys:{call_id}"


def _failed(call_id: str, tool: ToolRun, told: str) -> ToolFinished:
    return ToolFinished(tool_call_id=call_id, tool_name=tool.name, error=told, duration_ms=0)
