"""Calls that come in: who answers is the phone number's assistant, or asked of the customer's server.

A transport announces the call and is told where its audio goes. Whatever goes wrong with the assistant, there is a
call: it is stored with its ended reason, and the caller hears a sentence or goes on to the fallback.
"""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef
from voxbus_contracts.api_model import Server
from voxbus_contracts.config import CallConfig
from voxbus_contracts.requests import InboundAnswered, InboundCall
from voxbus_control_api import metrics
from voxbus_control_api.call_request import parse_inbound
from voxbus_control_api.calls import inbound
from voxbus_control_api.calls.asked import with_asked
from voxbus_control_api.calls.inbound import Nobody, understood, with_fallback
from voxbus_control_api.calls.message_server import chosen_server, message_server
from voxbus_control_api.calls.planning import plan_call
from voxbus_control_api.calls.repeats import RepeatKey
from voxbus_control_api.calls.resolving import PHONE_NUMBER, Missing, Stored, credentials_for
from voxbus_control_api.calls.starting import Starter, call_of, new_call
from voxbus_control_api.errors import BadRequest, Misconfigured
from voxbus_control_api.messages.asking import NoAnswer, Question, ServerAsker
from voxbus_control_api.projection import carried_by, iso
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.secret_names import is_secret
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import seal

Json = dict[str, Any]

NO_NUMBER: Final = "call.start.error-get-phone-number"
NO_PLACE: Final = "call.start.error-subscription-concurrency-limit-reached"
UNUSABLE: Final = "call.start.error-get-resources-validation"

_NO_PLACE_MESSAGE: Final = "The organisation has as many calls as it may have at a time."
_KIND: Final = "inboundPhoneCall"
_NAMESPACE: Final = uuid.UUID("8d3f1c52-0d3e-4a57-9a0e-5c1f64a7e6b1")


class CallsOnBus(Protocol):
    """All raise Unavailable."""

    async def stored_config(self, ref: CallRef) -> CallConfig | None: ...

    async def new_config(self, config: CallConfig) -> CallConfig: ...

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Reception:
    """One process's; several do no harm to each other: the call's id follows from the transport's own."""

    stored: Stored
    bus: CallsOnBus
    asker: ServerAsker
    starter: Starter
    log: BoundLogger

    async def on_call(self, org: str, asked: InboundCall) -> InboundAnswered:
        """Asked twice, there is one call. Raises Unavailable and DatabaseFault: then it is asked again."""
        number = await self._number(org, asked)
        if number is None:
            return _refused(NO_NUMBER, "this organisation has no such phone number")
        ref = CallRef(org, str(uuid.uuid5(_NAMESPACE, f"{org}/{asked.id}")))
        try:
            config = await self.bus.stored_config(ref)
            if config is None:
                config = await self.bus.new_config(await self._configured(ref, asked, number))
            return await self._placed(config)
        except (BadRequest, BadSeal, Misconfigured) as wrong:
            return _refused(UNUSABLE, str(wrong))

    async def _number(self, org: str, asked: InboundCall) -> Resource | None:
        if asked.phone_number_id is not None:
            return await self.stored.get(org, PHONE_NUMBER, asked.phone_number_id)
        found = await self.stored.by_lookup(org, PHONE_NUMBER, asked.number) if asked.number else []
        return found[0] if found else None

    async def _configured(self, ref: CallRef, asked: InboundCall, number: Resource) -> CallConfig:
        """Raises BadRequest, BadSeal and Misconfigured where not even a sentence can be said."""
        try:
            return await self._with_assistant(ref, asked, number)
        except Nobody as nobody:
            verdict = with_fallback(nobody.verdict, number.body)
            self.log.info("no assistant takes a call", call=ref.call, reason=verdict.reason)
            silent = await self._made(ref, asked, number, {"assistant": {}})
            return silent.model_copy(update={"verdict": verdict})

    async def _with_assistant(self, ref: CallRef, asked: InboundCall, number: Resource) -> CallConfig:
        """Raises Nobody."""
        who = {name: number.body[name] for name in ("assistantId", "squadId") if number.body.get(name)}
        is_own = bool(who)
        who = dict([*who.items()][:1]) if is_own else understood(await self._answer(ref, asked, number))
        try:
            return await self._made(ref, asked, number, who)
        except Missing as gone:
            raise Nobody(gone.reason, str(gone)) from gone
        except BadRequest as wrong:
            raise Nobody(inbound.NOT_VALID if is_own else inbound.INVALID, "; ".join(wrong.problems)) from wrong

    async def _answer(self, ref: CallRef, asked: InboundCall, number: Resource) -> Json:
        """Raises Nobody."""
        org = await self.stored.org_body(ref.org)
        credentials = await credentials_for(self.stored, ref.org, [number.body, org])
        chosen = message_server(chosen_server(number.body, org), credentials)
        if chosen is None:
            raise Nobody(inbound.NEITHER_SET, "The phone number has neither an assistant nor a squad nor a server.")
        question = Question(
            server=Server.model_validate(chosen["server"]),
            authentication=chosen["authentication"],
            message=self._message(ref, asked, number),
            call=ref.call,
            id=f"{ref.call}:assistant-request",
            within_s=inbound.ASKED_WITHIN_S,
        )
        try:
            return await self.asker.ask(question)
        except NoAnswer as nothing:
            raise Nobody(inbound.FAILED, str(nothing)) from nothing

    def _message(self, ref: CallRef, asked: InboundCall, number: Resource) -> Json:
        now_ms = self.starter.now_ms()
        call = {
            "id": ref.call,
            "orgId": ref.org,
            "createdAt": iso(now_ms),
            "updatedAt": iso(now_ms),
            "type": _KIND,
            "status": "ringing",
            "phoneNumberId": number.id,
            "customer": _customer(asked),
            "phoneCallProviderId": asked.id,
            **carried_by(asked.transport),
        }
        if asked.variables:
            call["assistantOverrides"] = {"variableValues": asked.variables}
        return {
            "type": "assistant-request",
            "timestamp": now_ms,
            "call": call,
            "phoneNumber": _told_number(number),
            "customer": _customer(asked),
        }

    async def _made(self, ref: CallRef, asked: InboundCall, number: Resource, who: Json) -> CallConfig:
        """Raises Missing, BadRequest, Misconfigured."""
        audio = {"format": asked.encoding, "container": "raw", "sampleRate": asked.sample_rate_hz}
        body = {
            **who,
            "phoneNumberId": number.id,
            "phoneCallProviderId": asked.id,
            "customer": _customer(asked),
            "transport": {"provider": asked.transport, "audioFormat": audio},
        }
        request = parse_inbound(body)
        resolved = await self.starter.resolved(ref.org, request)
        plan = plan_call(request, resolved.speaker, _KIND, resolved.phone_number)
        config = self.starter.configured(ref, plan)
        line = {"conversationType": "voice", "provider": asked.transport, "callSid": asked.id}
        known = {**asked.variables, "transport": line, **config.variables}
        config = config.model_copy(update={"variables": known})
        return with_asked(config, new_call(config, plan, request, body), self.starter.cluster_key)

    async def _placed(self, config: CallConfig) -> InboundAnswered:
        """Raises BadSeal."""
        ref, starter = config.ref, self.starter
        url = seal(starter.addresses.transport_url(ref), starter.cluster_key)
        new = call_of(config, starter.cluster_key)
        added = await starter.calls.add(ref.org, [new], _key_of(ref), starter.now_ms())
        if added.standing is None:
            return await self._as_before(config, url)
        if ref.call in added.standing.waiting:
            await self.bus.end_unclaimed(ref, NO_PLACE, _NO_PLACE_MESSAGE)
            return _refused(NO_PLACE, _NO_PLACE_MESSAGE, ref.call)
        await starter.announce(config)
        metrics.CALLS_RECEIVED.labels(config.verdict.reason if config.verdict else "").inc()
        return _connected(config, url)

    async def _as_before(self, config: CallConfig, url: str) -> InboundAnswered:
        record = await self.starter.calls.get(config.org, config.call)
        if record is None or record.has_ended:
            reason = record.record.get("endedReason", "") if record else "call-deleted"
            return _refused(reason, "the call is over", config.call)
        return _connected(config, url)


def _connected(config: CallConfig, url: str) -> InboundAnswered:
    verdict = config.verdict
    if verdict is None:
        return InboundAnswered(outcome="connect", call=config.call, url=url)
    return InboundAnswered(
        outcome="connect",
        call=config.call,
        url=url,
        reason=verdict.reason,
        destination=verdict.destination,
        problem=verdict.problem,
    )


def _refused(reason: str, problem: str, call: str = "") -> InboundAnswered:
    metrics.CALLS_RECEIVED.labels(reason).inc()
    return InboundAnswered(outcome="refused", call=call, reason=reason, problem=problem)


def _customer(asked: InboundCall) -> Json:
    """Whatever a line calls its caller by is let in."""
    caller = asked.caller
    known = {"number": caller.number, "sipUri": caller.sip_uri, "name": caller.name and caller.name[:40]}
    told: Json = {name: value for name, value in known.items() if value}
    return told | ({"numberE164CheckEnabled": False} if caller.number and not caller.number.startswith("+") else {})


def _told_number(number: Resource) -> Json:
    """Its plain fields, none of them a secret."""
    plain = {name: value for name, value in number.body.items() if isinstance(value, str | bool)}
    return {
        "id": number.id,
        "orgId": number.org,
        **{name: value for name, value in plain.items() if not is_secret(name)},
    }


def _key_of(ref: CallRef) -> RepeatKey:
    return RepeatKey(hashlib.sha256(f"inbound/{ref.call}".encode()).hexdigest(), "")
