"""What the model says, as decisions. Pure: the shell brings each part, these functions say what to log and do."""

from dataclasses import dataclass, replace
from typing import Any

from voxbus_contracts.commands import EndCall
from voxbus_contracts.events import FaultRaised, ReplyGenerated, ReplyRetried, ToolFinished, ToolRequested
from voxbus_llm_orchestrator.conversation import said_before
from voxbus_llm_orchestrator.decision import Out
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.rejection import REJECTED, is_rejected
from voxbus_llm_orchestrator.saying import Spoken, say, sentences_of
from voxbus_llm_orchestrator.state import CallState, is_model_reply

MODEL_SPEAKS_FIRST = "assistant-speaks-first-with-model-generated-message"

APOLOGY = "Sorry, I have a technical problem. Could you say that again?"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the model gave no answer, in a code and in words without secrets or personal text."""

    code: str
    detail: str
    retryable: bool


def is_wanted(state: CallState, reply: int) -> bool:
    """Does anybody still wait for this reply, or may it still be given?"""
    if reply == state.speculating:
        return True
    known = state.replies.get(reply)
    return known is not None and not known.ended and not known.generated and known.given_up_pts_ms is None


def said(state: CallState, plan: Plan, spoken: Spoken, sentence: str) -> list[Out]:
    """The model has completed a sentence."""
    if not is_wanted(state, spoken.reply):
        return []
    if _opens_the_call(state, plan, spoken.reply):
        spoken = replace(spoken, interruptible=plan.first_message_interruptible)
    return say(state, plan, spoken, [sentence])


def _opens_the_call(state: CallState, plan: Plan, reply: int) -> bool:
    """The model's first message, which like a fixed one is interruptible only if the assistant says so."""
    return reply == 1 and not state.turns and plan.first_message_mode == MODEL_SPEAKS_FIRST


def wants_tool(state: CallState, reply: int, name: str, arguments: dict[str, Any], now_ms: int = 0) -> list[Out]:
    """The model calls a function. The id is ours and logged, so it can serve as idempotency key for ever."""
    if not is_wanted(state, reply):
        return []
    known = state.replies[reply]
    call_id = f"call_{reply}_{len(known.tools) + 1}"
    wanted = ToolRequested(
        tool_call_id=call_id, tool_name=name, arguments=arguments, reply=reply, turn=known.turn, pts_ms=max(0, now_ms)
    )
    return [wanted]


def generated(
    state: CallState, plan: Plan, reply: int, first_token_ms: int, end_call: bool, now_ms: int = 0
) -> list[Out]:
    """The model has said all."""
    if not is_wanted(state, reply):
        return []
    known = state.replies[reply]
    outs: list[Out] = []
    if end_call and (forbidden := _end_is_forbidden(state, plan, reply, now_ms)):
        done = ReplyGenerated(reply=reply, utterances=known.utterances, first_token_ms=max(0, first_token_ms))
        return [*forbidden, done]
    if end_call and plan.end_call_message and not known.utterances:
        outs += say(state, plan, Spoken(reply, known.turn, pts_ms=now_ms), sentences_of(plan.end_call_message))
    numbers = (*known.utterances, *range(state.next_utterance, state.next_utterance + len(outs)))
    return [
        *outs,
        ReplyGenerated(reply=reply, utterances=numbers, first_token_ms=max(0, first_token_ms), end_call=end_call),
    ]


def _end_is_forbidden(state: CallState, plan: Plan, reply: int, now_ms: int) -> list[Out]:
    """The plan of the tool that ends the call rejects it: logged as wanted and failed, so that the model goes on."""
    rejection, name = plan.tool_plan(plan.end_call_tool).rejection, plan.end_call_tool
    if not name or rejection is None:
        return []
    known = {**plan.variables, **state.variables}
    if not is_rejected(rejection, said_before(state, reply), known, plan.created_at_ms):
        return []
    wanted = wants_tool(state, reply, name, {}, now_ms)
    ids = [each.tool_call_id for each in wanted if isinstance(each, ToolRequested)]
    return [*wanted, *(ToolFinished(tool_call_id=each, tool_name=name, error=REJECTED, duration_ms=0) for each in ids)]


def asked_again(state: CallState, plan: Plan, reply: int, failure: Failure, now_ms: int) -> ReplyRetried | None:
    """By the next model that stands in, which answers from then on; else once more where that may help; else None."""
    following = state.stand_in + 1
    if following <= plan.stand_ins:
        return ReplyRetried(reply=reply, reason=failure.code, pts_ms=max(0, now_ms), stand_in=following)
    if failure.retryable and not state.replies[reply].retries:
        return ReplyRetried(reply=reply, reason=failure.code, pts_ms=max(0, now_ms), stand_in=state.stand_in)
    return None


def failed(state: CallState, plan: Plan, reply: int, failure: Failure, now_ms: int) -> list[Out]:
    """The model could not answer: somebody is asked again where that may help, else the caller hears an apology.

    The second apology running would be one too many: the call ends.
    """
    if not is_wanted(state, reply):
        return []
    known = state.replies[reply]
    fault = FaultRaised(code=failure.code, detail=failure.detail, retryable=failure.retryable)
    if (again := asked_again(state, plan, reply, failure, now_ms)) is not None:
        return [fault, again]
    earlier = [r for number, r in sorted(state.replies.items()) if number < reply and is_model_reply(r)][-1:]
    is_second = any(state.utterances[seq].text.startswith(APOLOGY[:20]) for r in earlier for seq in r.utterances)
    if is_second:
        return [fault, EndCall(reason=f"pipeline-error-{plan.model_provider}-llm-failed")]
    says = say(state, plan, Spoken(reply, known.turn, pts_ms=now_ms), sentences_of(APOLOGY))
    numbers = (*known.utterances, *range(state.next_utterance, state.next_utterance + len(says)))
    return [fault, *says, ReplyGenerated(reply=reply, utterances=numbers)]
