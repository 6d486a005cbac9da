"""Chats of a web page: every one belongs to a session, which is made and carried on by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voxbus_control_api.chats.conversations import Asked, Conversations
from voxbus_control_api.chats.records import SESSION, why_closed
from voxbus_control_api.chats.requests import (
    DEFAULT_EXPIRATION_S,
    ChatRequest,
    SessionPatch,
    SessionRequest,
    WebChatRequest,
)
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.resource_store import Resource

Json = dict[str, Any]

MayUse = Callable[[Json], None]
"""Whether a session with this body may be carried on; raises Forbidden."""


@dataclass(frozen=True, slots=True)
class WebChats:
    conversations: Conversations

    async def session(self, org: str, request: WebChatRequest, may_use: MayUse) -> Resource:
        """The one that is named while it is open, else a new one. Raises BadRequest, NotFound, Forbidden."""
        there = await self._open_one(org, request)
        if there is not None:
            may_use(there.body)
            return there
        if request.assistant_id is None and request.assistant is None:
            raise BadRequest("assistantId is required: the session is over or not there")
        named = {"assistantId": request.assistant_id, "assistant": request.assistant, "customer": request.customer}
        kept = {name: value for name, value in named.items() if value is not None}
        expiration_s = request.session_expiration_seconds or DEFAULT_EXPIRATION_S
        wanted = {**kept, "assistantOverrides": request.assistant_overrides, "expirationSeconds": expiration_s}
        return await self.conversations.new_session(org, SessionRequest.model_validate(wanted), kept)

    async def write(self, org: str, session: Resource, request: WebChatRequest) -> tuple[Resource, Asked]:
        """Raises BadRequest, Unavailable."""
        body: Json = {"input": request.input, "sessionId": session.id}
        return await self.conversations.write(org, ChatRequest.model_validate(body), body)

    async def complete(self, org: str, session: Resource) -> Resource:
        return await self.conversations.change_session(org, session.id, SessionPatch(status="completed"))

    async def _open_one(self, org: str, request: WebChatRequest) -> Resource | None:
        if request.session_id is None:
            return None
        found = await self.conversations.resources.get(org, SESSION, request.session_id)
        if found is None or why_closed(found, self.conversations.now_ms()) is not None:
            return None
        return await self.conversations.open_session(org, found.id, request.assistant_id)
