"""The events of a call → its record, as `GET /call/{id}` gives it. Pure: same events, same record, in any order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from voxbus_contracts.events import (
    ArchiveStored,
    CallEnded,
    CallQueued,
    CallRinging,
    CallStarted,
    CallTransferred,
    CostUpdated,
    HandoffCompleted,
    MediaAttached,
)
from voxbus_control_api.analysis import analysis, structured_outputs
from voxbus_control_api.calls.artifacts import recorded_files
from voxbus_control_api.conversation import messages, openai_formatted, transcript
from voxbus_control_api.latency import performance_metrics
from voxbus_control_api.past_events import PastEvent, in_order

Json = dict[str, Any]

_INBOUND: Final = "inboundPhoneCall"
_PHONE_CALLS: Final = ("outboundPhoneCall", _INBOUND)
_LIFE: Final = ("type", "status", "startedAt", "endedAt", "endedReason", "endedMessage", "destination")
_PHONE: Final = ("phoneCallProvider", "phoneCallProviderId", "phoneCallProviderDetails", "phoneCallTransport")
_OURS: Final = {
    *_LIFE,
    *_PHONE,
    *("transport", "cost", "costs", "costBreakdown", "messages", "artifact", "analysis", "monitor", "webCallUrl"),
}
"""Fields the record has of its own: none of them is echoed from what was posted."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call from its creation; `body` is what was posted."""

    id: str
    org: str
    created_at_ms: int
    updated_at_ms: int
    call_type: str
    transport: Json
    body: Json = field(default_factory=Json)
    system_prompts: tuple[str, ...] = ()
    is_recorded: bool = True
    is_logged: bool = True
    monitor_plan: Json = field(default_factory=Json)
    """As the assistant has it; empty = the defaults."""

    @property
    def is_scheduled(self) -> bool:
        return self.body.get("schedulePlan") is not None


FILES: Final = "voxbusFiles"
"""Field of the artifact: keys in the object store by track. Answers have addresses instead."""


def project(call: CallFacts, events: Iterable[PastEvent]) -> Json:
    """The record so far; a running call has one too."""
    ordered = in_order(events)
    spoken = messages(ordered, call.system_prompts, call.created_at_ms)
    artifact: Json = {
        "messages": spoken,
        "messagesOpenAIFormatted": openai_formatted(spoken),
        "transcript": transcript(spoken),
    }
    files = recorded_files(ordered)
    if files:
        artifact[FILES] = files
    outputs = structured_outputs(ordered)
    if outputs:
        artifact["structuredOutputs"] = outputs
    activations = _activations(ordered)
    if activations:
        artifact["assistantActivations"] = activations
    metrics = performance_metrics(ordered)
    if metrics:
        artifact["performanceMetrics"] = metrics
    return {
        **{name: value for name, value in call.body.items() if name not in _OURS},
        "id": call.id,
        "orgId": call.org,
        "createdAt": iso(call.created_at_ms),
        "updatedAt": iso(max([call.updated_at_ms, *_changes_ms(ordered)])),
        "type": call.call_type,
        **_life(ordered, "scheduled" if call.is_scheduled else "queued"),
        **_phone(call),
        **_cost(ordered),
        "transport": call.transport,
        "messages": spoken,
        "analysis": analysis(ordered),
        "artifact": artifact,
    }


def iso(ms: int) -> str:
    """`2026-11-23T13:30:00.123Z`"""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _activations(events: Sequence[PastEvent]) -> list[Json]:
    """The assistants that had the call, in order; nothing for a call that stayed with its first."""
    handoffs = [event.message for event in events if isinstance(event.message, HandoffCompleted)]
    pairs = [(each.from_assistant_id, each.from_assistant) for each in handoffs[:1]]
    pairs += [(each.to_assistant_id, each.to_assistant) for each in handoffs]
    return [{"assistantName": name, **({"assistantId": found} if found else {})} for found, name in pairs]


def _phone(call: CallFacts) -> Json:
    """Who carries a phone call, or would: by SIP the installation's own trunks."""
    if call.call_type not in _PHONE_CALLS:
        return {}
    named = {"phoneCallProviderId": call.body["phoneCallProviderId"]} if "phoneCallProviderId" in call.body else {}
    return carried_by(call.transport.get("provider", "")) | (named if call.call_type == _INBOUND else {})


def carried_by(transport: str) -> Json:
    """As calls' records name a carrier."""
    if transport == "vapi.sip":
        return {"phoneCallProvider": "vapi", "phoneCallTransport": "sip"}
    return {"phoneCallProvider": transport, "phoneCallTransport": "pstn"}


def _changes_ms(events: Sequence[PastEvent]) -> list[int]:
    """When something changed; that the log was archived changes nothing of the call."""
    return [event.occurred_at_ms for event in events if not isinstance(event.message, ArchiveStored)]


def _life(events: Sequence[PastEvent], first: str) -> Json:
    """scheduled → queued → ringing → in-progress → forwarding → ended.

    Steps that are missing are left out, none is taken back.
    """
    life: Json = {"status": first}
    for event in events:
        match event.message:
            case CallQueued() if life["status"] == "scheduled":
                life["status"] = "queued"
            case CallRinging() | MediaAttached() if life["status"] in ("scheduled", "queued"):
                life["status"] = "ringing"
            case CallStarted() if "startedAt" not in life:
                life["startedAt"] = iso(event.occurred_at_ms)
                life["status"] = "in-progress" if "endedAt" not in life else "ended"
            case CallTransferred() as transferred:
                life["destination"] = _destination(transferred)
                life["status"] = "forwarding" if "endedAt" not in life else "ended"
            case CallEnded() as ended if "endedAt" not in life:
                life |= {"status": "ended", "endedAt": iso(event.occurred_at_ms), "endedReason": ended.reason}
                life |= {"endedMessage": ended.message} if ended.message else {}
            case _:
                pass
    return life


def _destination(transferred: CallTransferred) -> Json:
    kind, field_name = (
        ("sip", "sipUri") if transferred.destination.startswith(("sip:", "sips:")) else ("number", "number")
    )
    return {"type": kind, field_name: transferred.destination, "transferPlan": {"mode": transferred.mode}}


def _cost(events: Sequence[PastEvent]) -> Json:
    """By the highest version; JSON has no decimals, so amounts become numbers here and nowhere else."""
    updates = [event.message for event in events if isinstance(event.message, CostUpdated)]
    if not updates:
        return {"cost": 0, "costs": [], "costBreakdown": {}}
    last = max(updates, key=lambda update: update.version)
    rows = [{**row.model_dump(), "cost": _number(row.cost)} for row in last.rows]
    return {"cost": _number(last.total), "costs": rows, "costBreakdown": _numbers(last.breakdown)}


def _numbers(breakdown: Json) -> Json:
    """The same with its amounts as numbers, those of the breakdown of analyses in it too."""
    made: Json = {}
    for name, value in breakdown.items():
        made[name] = _number(value) if isinstance(value, str) else _numbers(value) if isinstance(value, dict) else value
    return made


def _number(amount: str) -> float | int:
    exact = Decimal(amount)
    return int(exact) if exact == exact.to_integral_value() else float(exact)
