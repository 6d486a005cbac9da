"""Chats from request to record: who answers, what was said before, the answer kept, sessions carried on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as made_by
from typing import Any, Final, Protocol

from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CHAT as CHAT_TYPE
from voxbus_contracts.config import CallConfig, CallCredential, KnowledgeFile
from voxbus_contracts.events import ChatEnded, ChatLine, ChatRequested, CostUpdated
from voxbus_control_api.call_request import CallRequest
from voxbus_control_api.calls.planning import Speaker, plan_call
from voxbus_control_api.calls.resolving import credentials_for, files_for, resolve
from voxbus_control_api.chats import lines as chat_lines
from voxbus_control_api.chats import records
from voxbus_control_api.chats.records import CHAT, SESSION
from voxbus_control_api.chats.requests import ChatRequest, SessionPatch, SessionRequest
from voxbus_control_api.chats.session_hooks import opening_lines
from voxbus_control_api.chats.variables import with_variables
from voxbus_control_api.errors import BadRequest, Misconfigured, NotFound
from voxbus_control_api.resource_store import Resource, ResourceStore
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import seal_config

Json = dict[str, Any]

_STAGES: Final = ("llm-orchestrator",)


class Asked(Protocol):
    """A chat that is being answered."""

    async def next(self) -> str | ChatEnded:
        """More text, and at last the end. Raises Unavailable."""
        ...

    async def close(self) -> None: ...


class Asking(Protocol):
    """The bus; raises Unavailable."""

    async def ask(self, config: CallConfig, requested: ChatRequested) -> Asked: ...


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers: its configuration with overrides applied, secrets still open."""

    assistant: Json
    assistant_id: str | None
    variables: Json
    credentials: tuple[Json, ...] = ()
    tool_files: Mapping[str, Json] = made_by(default_factory=dict[str, Json])


Tell = Callable[[Resource, str], Awaitable[None]]
"""Tells the server of a session or chat what has happened to it (`created`, …); never raises."""


async def _nobody(_resource: Resource, _what: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Conversations:
    """Every question is asked for one organisation. `answer_within_ms`: of one chat, tools and all."""

    resources: ResourceStore
    bus: Asking
    cluster_key: SecretStr | None
    answer_within_ms: int
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    new_traceparent: Callable[[], str]
    tell: Tell = _nobody

    # --- chats -------------------------------------------------------------------------------------------------

    async def write(self, org: str, request: ChatRequest, body: Json) -> tuple[Resource, Asked]:
        """Keeps the chat and has it answered. Raises BadRequest, NotFound, Unavailable."""
        history: tuple[ChatLine, ...] = ()
        there: Resource | None = None
        if request.session_id is not None:
            there = await self.open_session(org, request.session_id, request.assistant_id)
            history = chat_lines.restored(there.body["_lines"])
        elif request.previous_chat_id is not None:
            there = await self.found(org, CHAT, request.previous_chat_id)
            history = records.conversation_of(there)
        speaker = await self._speaker(org, request, there)
        written = chat_lines.read_input(request.input, history)
        named = {"assistantId": speaker.assistant_id} if speaker.assistant_id else {}
        kept = records.new_chat({**named, **body}, speaker.assistant, history, written)
        chat = self._new(org, CHAT, kept, request.session_id)
        config = self._config(chat, speaker)
        await self.resources.create(chat)
        requested = ChatRequested(
            lines=(*history, *written),
            answer_by_ms=config.created_at_ms + self.answer_within_ms,
            assistant_id=speaker.assistant_id,
            session_id=request.session_id,
        )
        asked = await self.bus.ask(config, requested)
        await self.tell(chat, "created")
        return chat, asked

    async def ended(self, org: str, chat_id: str, ended: ChatEnded) -> Resource | None:
        """Keeps the answer, and in the session what was written and answered; doing it again changes nothing."""
        now_ms = self.now_ms()
        chat = await self.resources.change(org, CHAT, chat_id, lambda there: records.ended_chat(there, ended, now_ms))
        if chat is None or chat.lookup is None:
            return chat
        added = records.added_lines(chat)
        if added:
            extend = _extending(chat_id, added, now_ms)
            await self.resources.change(org, SESSION, chat.lookup, extend)
        return chat

    async def priced(self, org: str, chat_id: str, cost: CostUpdated) -> None:
        """What a chat costs by now, for its record and its session's."""
        now_ms = self.now_ms()

        def price(there: Resource) -> Resource:
            return records.priced(there, chat_id, cost, now_ms)

        chat = await self.resources.change(org, CHAT, chat_id, price)
        if chat is not None and chat.lookup is not None:
            await self.resources.change(org, SESSION, chat.lookup, price)

    async def found(self, org: str, kind: str, resource_id: str) -> Resource:
        """Raises NotFound."""
        found = await self.resources.get(org, kind, resource_id)
        if found is None:
            raise NotFound(f"there is no {kind} {resource_id[:64]}")
        return found

    async def delete(self, org: str, kind: str, resource_id: str) -> Resource:
        """What it was. Raises NotFound."""
        there = await self.found(org, kind, resource_id)
        await self.resources.delete(org, kind, resource_id)
        await self.tell(there, "deleted")
        return there

    # --- sessions ----------------------------------------------------------------------------------------------

    async def new_session(self, org: str, request: SessionRequest, body: Json) -> Resource:
        """Its assistant is fixed now, variables filled in. Raises BadRequest, NotFound."""
        speaker = await self._named(org, request)
        kept = records.new_session(
            body, speaker.assistant, speaker.variables, request.expiration_seconds, request.status
        )
        session = self._new(org, SESSION, kept)
        given = request.messages or ()
        opening = opening_lines(speaker.assistant, session.id, speaker.variables, session.created_at_ms)
        if given or opening:
            lines = (*chat_lines.read_messages(given, "messages"), *opening)
            shown = [*given, *chat_lines.shown(opening)]
            session = records.with_lines(session, lines, session.updated_at_ms, shown)
        await self.resources.create(session)
        await self.tell(session, "created")
        return session

    async def change_session(self, org: str, session_id: str, patch: SessionPatch) -> Resource:
        """Raises BadRequest, NotFound."""
        lines = None if patch.messages is None else chat_lines.read_messages(patch.messages, "messages")
        given = patch.model_dump(by_alias=True, exclude_unset=True, exclude={"messages"})
        now_ms = self.now_ms()

        def change(there: Resource) -> Resource:
            changed = there if lines is None else records.with_lines(there, lines, now_ms, patch.messages)
            return _with_fields(changed, given, now_ms)

        session = await self.resources.change(org, SESSION, session_id, change)
        if session is None:
            raise NotFound(f"there is no session {session_id[:64]}")
        await self.tell(session, "updated")
        return session

    async def open_session(self, org: str, session_id: str, assistant_id: str | None) -> Resource:
        """Raises NotFound, and BadRequest for one that is over or has another assistant."""
        session = await self.found(org, SESSION, session_id)
        closed = records.why_closed(session, self.now_ms())
        if closed is not None:
            raise BadRequest(closed)
        if assistant_id is not None and assistant_id != session.body.get("assistantId"):
            raise BadRequest("assistantId must be left out or be that of the session")
        return session

    # --- who answers -------------------------------------------------------------------------------------------

    async def _speaker(self, org: str, request: ChatRequest, there: Resource | None) -> Answerer:
        """The one that is named, else that of the session or of the chat before."""
        names_one = any((request.assistant_id, request.assistant, request.squad_id, request.squad))
        if there is None or (there.kind == CHAT and names_one):
            return await self._named(org, request)
        assistant = there.body["_assistant"]
        bodies = [assistant, request.assistant_overrides]
        lent, files = await credentials_for(self.resources, org, bodies), await files_for(self.resources, org, bodies)
        before = Speaker("sessionId", assistant, there.body.get("assistantId"), credentials=lent, files=files)
        overrides = CallRequest.model_validate({"assistantOverrides": request.assistant_overrides})
        return _answerer(overrides, before)

    async def _named(self, org: str, request: ChatRequest | SessionRequest) -> Answerer:
        named = {
            "assistantId": request.assistant_id,
            "assistant": request.assistant,
            "squadId": request.squad_id,
            "squad": request.squad,
            "assistantOverrides": request.assistant_overrides,
        }
        wanted = CallRequest.model_validate(named)
        return _answerer(wanted, (await resolve(self.resources, org, wanted)).speaker)

    def _config(self, chat: Resource, speaker: Answerer) -> CallConfig:
        try:
            sealed = seal_config(speaker.assistant, self.cluster_key)
            credentials = seal_config(speaker.credentials, self.cluster_key)
        except BadSeal as missing:
            raise Misconfigured(str(missing)) from missing
        ref = CallRef(chat.org, chat.id)
        return CallConfig(
            org=ref.org,
            call=ref.call,
            created_at_ms=chat.created_at_ms,
            call_type=CHAT_TYPE,
            assistant_id=speaker.assistant_id,
            assistant=Assistant.model_validate(sealed),
            stages=_STAGES,
            traceparent=self.new_traceparent(),
            variables=speaker.variables,
            credentials=tuple(CallCredential.model_validate(each) for each in credentials),
            tool_files={each: KnowledgeFile.model_validate(file) for each, file in speaker.tool_files.items()},
        )

    def _new(self, org: str, kind: str, body: Json, lookup: str | None = None) -> Resource:
        now_ms = self.now_ms()
        return Resource(org, kind, self.new_id(), now_ms, now_ms, body, lookup)


def _answerer(request: CallRequest, speaker: Speaker) -> Answerer:
    """Everything laid over the assistant, then variables filled in. Raises BadRequest when the result is not valid."""
    plan = plan_call(request, speaker, "webCall")
    told = with_variables(plan.assistant, plan.variables)
    return Answerer(told, plan.assistant_id, plan.variables, plan.credentials, plan.tool_files)


def _extending(chat_id: str, added: Sequence[ChatLine], now_ms: int) -> Callable[[Resource], Resource]:
    return lambda there: records.extended(there, chat_id, added, now_ms)


def _with_fields(session: Resource, given: Json, now_ms: int) -> Resource:
    body = {**session.body, **{name: value for name, value in given.items() if value is not None}}
    return replace(session, body=body, updated_at_ms=now_ms)
