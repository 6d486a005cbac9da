"""Readings of the state about tools that run. Pure."""

from typing import Final

from voxbus_llm_orchestrator.decision import View
from voxbus_llm_orchestrator.state import CallState, ToolRun, is_model_reply
from voxbus_llm_orchestrator.tool_lines import TOOL_MESSAGE, VOICEMAIL, ToolPlan


def start_cause(call_id: str) -> str:
    """The cause of what is said when a tool begins."""
    return f"tool-start:{call_id}"


def begun_ms(state: CallState, plan: ToolPlan, call_id: str, tool: ToolRun) -> int:
    """When it was wanted, or when what had to be said before was over."""
    cause = start_cause(call_id)
    if not any(line.is_blocking for line in plan.start):
        return tool.requested_pts_ms
    spoken = (reply.ended_pts_ms or 0 for reply in state.replies.values() if reply.cause == cause)
    return max(tool.requested_pts_ms, *spoken)


def waits_for_words(state: CallState, plan: ToolPlan, call_id: str) -> bool:
    """It must not run before what announces it has been said."""
    cause = start_cause(call_id)
    is_blocked = any(line.is_blocking for line in plan.start)
    return is_blocked and any(reply.cause == cause and not reply.ended for reply in state.replies.values())


def latest_model_reply(state: CallState) -> int:
    """0 = none."""
    return max((number for number, reply in state.replies.items() if is_model_reply(reply)), default=0)


ACTS: Final = frozenset({"dtmf", VOICEMAIL})
"""Types of tools that the call itself carries out."""

MCP_PATIENCE_MS: Final = 3_000
"""How long an answer waits for what an MCP server has to offer; then the model is asked without it."""


def wanted_tools(state: CallState) -> list[tuple[str, ToolRun]]:
    """Logged as wanted, and nothing has come of it yet."""
    return [(i, tool) for i, tool in state.tools.items() if tool.reply and not tool.ordered and not tool.finished]


def tools_known_by_ms(view: View) -> int:
    """When the model may be asked, as far as the tools it is to be offered are concerned."""
    state = view.state
    missing = [at for index, at in state.discoveries.items() if index not in state.discovered]
    return max((at + MCP_PATIENCE_MS for at in missing), default=-MCP_PATIENCE_MS)


def times_to_come(state: CallState, plan: ToolPlan, call_id: str, tool: ToolRun) -> list[int]:
    """After how many ms the tool's own words for its slowness are still to be said; one that was passed over is not."""
    own = {line.after_ms for line in plan.late if line.fits(tool.arguments)}
    said = [at for at in own if f"tool-late:{call_id}:{at}" in state.carried_out]
    return sorted(at for at in own if at > max(said, default=0))


def said_of_tools(state: CallState, call_ids: tuple[str, ...]) -> list[str]:
    """What the caller has heard while these tools ran, in order."""
    return [
        reply.heard
        for _, reply in sorted(state.replies.items())
        if reply.source == TOOL_MESSAGE and reply.heard and _tool_of(reply.cause) in call_ids
    ]


def is_said_while_running(cause: str) -> bool:
    return bool(_tool_of(cause))


def _tool_of(cause: str) -> str:
    kind, _, rest = cause.partition(":")
    return rest.partition(":")[0] if kind in {"tool-start", "tool-late", "tool-still"} else ""
