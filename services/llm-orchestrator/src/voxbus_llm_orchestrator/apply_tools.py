"""Tools and orders from outside, added to the state."""

from dataclasses import replace
from typing import Final as Constant

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.folding import Changes, changed, changed_reply, with_entry
from voxbus_llm_orchestrator.state import CallState, Order, ToolRun
from voxbus_llm_orchestrator.tool_lines import ToolLine

TOOL_GAVE_NO_ANSWER: Constant = "The tool did not answer in time."


def _tool_requested(state: CallState, event: e.ToolRequested, _id: str) -> CallState:
    known = state.tools.get(event.tool_call_id) or ToolRun(event.tool_name, event.arguments, event.reply, event.turn)
    tool = replace(
        known,
        name=event.tool_name,
        arguments=event.arguments,
        reply=event.reply,
        turn=event.turn,
        requested_pts_ms=event.pts_ms,
    )
    state = changed(state, tools=with_entry(state.tools, event.tool_call_id, tool))
    reply = state.replies.get(event.reply)
    return changed_reply(state, event.reply, tools=(*reply.tools, event.tool_call_id)) if reply else state


def _tool_ordered(state: CallState, command: c.RunTool, _id: str) -> CallState:
    known = state.tools.get(command.tool_call_id)
    tool = known or ToolRun(command.tool_name, command.arguments, 0, 0)
    return changed(state, tools=with_entry(state.tools, command.tool_call_id, replace(tool, ordered=True)))


def _tool_finished(state: CallState, event: e.ToolFinished, _id: str) -> CallState:
    known = state.tools.get(event.tool_call_id) or ToolRun(event.tool_name, {}, 0, 0)
    if event.variables:
        state = changed(state, variables={**state.variables, **event.variables})
    if known.finished:
        return state
    tool = replace(
        known,
        finished=True,
        duration_ms=event.duration_ms,
        result=event.result or event.error or "",
        failed=event.result is None,
        message=_line_of(event.message) if event.message else None,
    )
    return changed(state, tools=with_entry(state.tools, event.tool_call_id, tool))


def _line_of(message: e.ToolSays) -> ToolLine:
    return ToolLine(message.content, is_hint=message.role == "system", ends_call=message.end_call_after_spoken)


def _tool_given_up(state: CallState, event: e.ToolGivenUp, _id: str) -> CallState:
    """Whatever its answer says, now or later: the model was told that there is none."""
    known = state.tools.get(event.tool_call_id) or ToolRun(event.tool_name, {}, 0, 0)
    tool = replace(known, finished=True, result=TOOL_GAVE_NO_ANSWER, failed=True, duration_ms=0)
    return changed(state, tools=with_entry(state.tools, event.tool_call_id, tool))


def _discovery_ordered(state: CallState, command: c.DiscoverTools, _id: str) -> CallState:
    return changed(state, discoveries=with_entry(state.discoveries, (command.member, command.tool), command.pts_ms))


def _discovered(state: CallState, event: e.ToolsDiscovered, _id: str) -> CallState:
    """The first answer counts: a call's tools do not change under the model."""
    key = (event.member, event.tool)
    if key in state.discovered:
        return state
    return changed(state, discovered=with_entry(state.discovered, key, event.tools))


def _say_ordered(state: CallState, command: c.SayOnCall, event_id: str) -> CallState:
    order = Order(
        "say",
        command.content,
        end_call=command.end_call_after_spoken,
        interruptible=command.interruptions_enabled,
        interrupt=command.interrupt_assistant,
    )
    return changed(state, orders=with_entry(state.orders, event_id, order))


def _message_ordered(state: CallState, command: c.AddMessage, event_id: str) -> CallState:
    order = Order("message", command.content, role=command.role, respond=command.trigger_response)
    return changed(state, orders=with_entry(state.orders, event_id, order))


def _control_ordered(state: CallState, command: c.ControlCall, event_id: str) -> CallState:
    """The mutes are media-ingress's."""
    if command.control != "say-first-message":
        return state
    return changed(state, orders=with_entry(state.orders, event_id, Order("first-message", "")))


TOOL_CHANGES: Constant[Changes] = {
    e.ToolRequested: _tool_requested,
    c.RunTool: _tool_ordered,
    e.ToolFinished: _tool_finished,
    e.ToolGivenUp: _tool_given_up,
    c.DiscoverTools: _discovery_ordered,
    e.ToolsDiscovered: _discovered,
    c.SayOnCall: _say_ordered,
    c.AddMessage: _message_ordered,
    c.ControlCall: _control_ordered,
}
