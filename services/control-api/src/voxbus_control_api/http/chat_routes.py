"""`/chat`: an assistant by text, also in OpenAI's words, also from a web page."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from voxbus_control_api.chats.records import CHAT, public
from voxbus_control_api.chats.requests import ChatRequest, WebChatRequest, parse_chat, parse_web_chat
from voxbus_control_api.chats.sse import ChatWording, ResponseWording, response_object
from voxbus_control_api.chats.web_chats import WebChats
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import check_web_session, org_of, org_of_web_caller
from voxbus_control_api.http.chat_answers import Answer, answered
from voxbus_control_api.http.described import described, list_query, pages_of, ref
from voxbus_control_api.listing import Filters, page_metadata, read_filtered
from voxbus_control_api.resource_store import Resource

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
WebOrg = Annotated[str, Depends(org_of_web_caller)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_FAILED: Final[Json] = {
    "description": "The model, or what it needs, gave no answer",
    "content": {"application/json": {"schema": ref("Error")}},
}


def _answering(answer: str, shape: type[BaseModel]) -> Json:
    """Arguments of the decorator of a route that answers whole or as server-sent events."""
    written = described(ref(answer), status=201, body=shape.model_json_schema())
    written["responses"][201]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    written["responses"][424] = _FAILED
    return written


_FILTERS: Final = Filters(
    columns={"id": "id", "idAny": "id", "sessionId": "lookup"},
    in_body={
        "assistantId": "assistantId",
        "assistantIdAny": "assistantId",
        "squadId": "squadId",
        "previousChatId": "previousChatId",
    },
    amounts=("cost",),
)

router = APIRouter(prefix="/chat", tags=["chats"])


@router.post("", **_answering("Chat", ChatRequest))
async def create_chat(org: Org, api: Services, body: Body) -> Response:
    """The answer, whole; with `stream` as server-sent events, each the next piece of `chat.output[0].content`."""
    request = parse_chat(body)
    chat, asked = await api.chats.write(org, request, body)
    wording = ChatWording(chat.id, request.session_id) if request.stream else None
    return await answered(api.chats, chat, asked, Answer(_record, wording))


@router.post("/responses", **_answering("ChatResponse", ChatRequest))
async def create_response(org: Org, api: Services, body: Body) -> Response:
    """As OpenAI's `POST /responses`; `model` is echoed, the assistant has its own."""
    given = _from_openai(body)
    request = parse_chat(given)
    chat, asked = await api.chats.write(org, request, given)
    return await answered(api.chats, chat, asked, _response(chat, request.stream))


@router.post("/web", **_answering("WebChat", WebChatRequest))
async def create_web_chat(request: Request, org: WebOrg, api: Services, body: Body) -> Response:
    """With a public key. Without a session, or with one that is over, a new one begins."""
    wanted = parse_web_chat(body)
    web = WebChats(api.chats)
    session = await web.session(org, wanted, lambda there: check_web_session(request, there))
    if wanted.session_end:
        ended = await web.complete(org, session)
        return _session_over(api.new_id(), ended.id, wanted.stream)
    chat, asked = await web.write(org, session, wanted)
    wording = ChatWording(chat.id, session.id) if wanted.stream else None
    return await answered(api.chats, chat, asked, Answer(_web_record, wording))


@router.post("/web/responses", **_answering("ChatResponse", WebChatRequest))
async def create_web_response(request: Request, org: WebOrg, api: Services, body: Body) -> Response:
    wanted = parse_web_chat(_from_openai(body))
    web = WebChats(api.chats)
    session = await web.session(org, wanted, lambda there: check_web_session(request, there))
    if wanted.session_end:
        await web.complete(org, session)
        return JSONResponse(response_object(api.new_id(), api.now_ms() // 1_000, _model(body), ""), 201)
    chat, asked = await web.write(org, session, wanted)
    return await answered(api.chats, chat, asked, _response(chat, wanted.stream))


@router.get("", **described(pages_of("Chat"), query=list_query(paged=True, fields=_FILTERS.names)))
async def list_chats(request: Request, org: Org, api: Services) -> Json:
    listing = read_filtered(request.query_params, _FILTERS)
    found = await api.resources.find(org, CHAT, listing)
    total = await api.resources.count(org, CHAT, listing)
    return {"results": [public(chat) for chat in found], "metadata": page_metadata(listing, total)}


@router.get("/{chat_id}", **described(ref("Chat")))
async def get_chat(chat_id: str, org: Org, api: Services) -> Json:
    return public(await api.chats.found(org, CHAT, chat_id))


@router.delete("/{chat_id}", **described(ref("Chat")))
async def delete_chat(chat_id: str, org: Org, api: Services) -> Json:
    return public(await api.chats.delete(org, CHAT, chat_id))


def _record(chat: Resource, _text: str) -> Json:
    return public(chat)


def _web_record(chat: Resource, _text: str) -> Json:
    """What a page may see: neither the assistant nor the costs."""
    return {name: chat.body[name] for name in ("sessionId", "output") if name in chat.body} | {"id": chat.id}


def _response(chat: Resource, is_streamed: bool) -> Answer:
    created_at_s, model = chat.created_at_ms // 1_000, _model(chat.body)

    def whole(_chat: Resource, text: str) -> Json:
        return response_object(chat.id, created_at_s, model, text)

    return Answer(whole, ResponseWording(chat.id, created_at_s, model) if is_streamed else None)


def _session_over(chat_id: str, session_id: str, is_streamed: bool) -> Response:
    record: Json = {"id": chat_id, "sessionId": session_id, "output": []}
    if not is_streamed:
        return JSONResponse(record, 201)
    return Response("".join(ChatWording(chat_id, session_id).end(record, "")), 201, media_type="text/event-stream")


def _model(body: Json) -> str:
    """As it was asked for; the assistant's own answers whatever it says."""
    return str(body.get("model") or body.get("_assistant", {}).get("model", {}).get("model") or "")


def _from_openai(body: Json) -> Json:
    """OpenAI's `previous_response_id` and `instructions` in the public API's words."""
    given = {name: value for name, value in body.items() if name not in ("previous_response_id", "instructions")}
    if body.get("previous_response_id") is not None:
        given.setdefault("previousChatId", body["previous_response_id"])
    instructions, written = body.get("instructions"), given.get("input")
    if isinstance(instructions, str) and instructions and isinstance(written, str | list):
        lines = [{"role": "user", "content": written}] if isinstance(written, str) else written
        given["input"] = [{"role": "system", "content": instructions}, *lines]
    return given
