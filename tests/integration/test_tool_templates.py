"""Every ready-made tool against a server that answers as its vendor's API does, and refuses what that would refuse."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig, CallCredential
from voxbus_control_api.bodies import new_body
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.kinds import TOOL
from voxbus_control_api.templates import filled_in, template, templates
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.server_access import ServerAccess
from voxbus_testing.nats import free_port
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.asking import Asker
from voxbus_tool_runner.errors import BadAnswer
from voxbus_tool_runner.kinds.api_request import ApiRequestTools
from voxbus_tool_runner.runner import ToolRunner

pytestmark = pytest.mark.integration

Json = dict[str, Any]
REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
EVENT_TYPE = "https://api.calendly.com/event_types/AAAA"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


def authorized(request: Request) -> None:
    if request.headers.get("authorization") != "Bearer let-me-in":
        raise HTTPException(401, "no token")


def refuse(wrong: bool, why: str, status: int = 400) -> None:
    if wrong:
        raise HTTPException(status, why)


def vendors() -> FastAPI:
    """The five APIs, as far as the templates go."""
    app = FastAPI()
    for add in (add_oauth, add_salesforce, add_hubspot, add_google, add_calendly, add_postgrest):
        add(app)
    return app


def add_oauth(app: FastAPI) -> None:
    @app.post("/oauth/token")
    async def token(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        form = dict(await request.form())
        refresh = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == "r1"
        if not refresh and form.get("grant_type") != "client_credentials":
            raise HTTPException(400, "unsupported_grant_type")
        return {"access_token": "let-me-in", "token_type": "Bearer", "expires_in": 3600}


def add_salesforce(app: FastAPI) -> None:
    @app.get("/services/data/v63.0/parameterizedSearch/")
    async def search(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        asked = request.query_params
        assert asked["sobject"] == "Contact"
        assert asked["Contact.fields"] == "Id,Name,Email,Phone"
        return {"searchRecords": [{"attributes": {"type": "Contact"}, "Id": "003", "Name": asked["q"]}]}

    @app.post("/services/data/v63.0/sobjects/Case", status_code=201)
    async def case(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        body = await request.json()
        if unknown := set(body) - {"Subject", "Description", "ContactId", "Origin"}:
            raise HTTPException(400, f"INVALID_FIELD {unknown}")
        assert body["Origin"] == "Phone"
        return {"id": "500", "success": True, "errors": []}


def add_hubspot(app: FastAPI) -> None:
    @app.post("/crm/v3/objects/contacts/search")
    async def contacts(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        body = await request.json()
        assert body["limit"] == 5
        assert body["properties"] == ["firstname", "lastname", "email", "phone", "company"]
        return {"total": 1, "results": [{"id": "1", "properties": {"firstname": body["query"]}}]}

    @app.post("/crm/v3/objects/tickets", status_code=201)
    async def tickets(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        properties = (await request.json())["properties"]
        if not {"subject", "hs_pipeline", "hs_pipeline_stage"} <= set(properties):
            raise HTTPException(400, "a ticket needs subject, hs_pipeline and hs_pipeline_stage")
        return {"id": "77", "properties": properties}


def add_google(app: FastAPI) -> None:
    booked: set[str] = set()

    @app.post("/calendar/v3/freeBusy")
    async def free_busy(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        body = await request.json()
        if not (RFC3339.fullmatch(body["timeMin"]) and RFC3339.fullmatch(body["timeMax"])):
            raise HTTPException(400, "Bad Request")
        return {"calendars": {body["items"][0]["id"]: {"busy": [{"start": body["timeMin"]}]}}}

    @app.post("/calendar/v3/calendars/{calendar}/events")
    async def insert(calendar: str, request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        body = await request.json()
        if not re.fullmatch(r"[a-v0-9]{5,1024}", body["id"]):
            raise HTTPException(400, "Invalid resource id value.")
        if body["id"] in booked:
            raise HTTPException(409, "The requested identifier already exists.")
        booked.add(body["id"])
        assert body["start"]["timeZone"] == body["end"]["timeZone"] == "Europe/Berlin"
        return {"id": body["id"], "status": "confirmed", "summary": body["summary"]}


def add_calendly(app: FastAPI) -> None:
    @app.get("/event_type_available_times")
    async def available(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        asked = request.query_params
        if asked.get("event_type") != EVENT_TYPE or not RFC3339.fullmatch(asked.get("start_time", "")):
            raise HTTPException(400, "Invalid Argument")
        return {"collection": [{"status": "available", "start_time": asked["start_time"], "invitees_remaining": 1}]}

    @app.post("/scheduling_links", status_code=201)
    async def links(request: Request) -> Json:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        assert await request.json() == {"max_event_count": 1, "owner": EVENT_TYPE, "owner_type": "EventType"}
        return {"resource": {"booking_url": "https://calendly.com/d/abc", "owner": EVENT_TYPE}}


def add_postgrest(app: FastAPI) -> None:
    @app.get("/rest/v1/orders")
    async def orders(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        authorized(request)
        asked = request.query_params
        found = [{"order_number": "4711", "status": "shipped"}] if asked.get("order_number") == "eq.4711" else []
        if asked.get("customer_phone") == "eq.+14155550100":
            assert asked["order"] == "created_at.desc"
            found = [{"order_number": "1"}, {"order_number": "2"}]

        return Response(json.dumps(found), media_type="application/json")

    return app


@contextlib.asynccontextmanager
async def open_vendors() -> AsyncGenerator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(vendors(), host="127.0.0.1", port=port, log_level="error", ws="none"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


VARIABLES: dict[str, Json] = {
    "salesforce": {"instanceUrl": "{base}"},
    "hubspot": {"baseUrl": "{base}"},
    "google-calendar": {"baseUrl": "{base}/calendar/v3", "timeZone": "Europe/Berlin", "calendarId": "shop@example.com"},
    "calendly": {"baseUrl": "{base}", "eventType": EVENT_TYPE},
    "orders-database": {"baseUrl": "{base}/rest/v1"},
}
BEARER: Json = {"type": "bearer", "token": "let-me-in"}
PLANS: dict[str, Json] = {
    "salesforce": {"type": "oauth2", "url": "{base}/oauth/token", "clientId": "c", "clientSecret": "s"},
    "google-calendar": {
        "type": "oauth2",
        "url": "{base}/oauth/token",
        "clientId": "c",
        "clientSecret": "s",
        "refreshToken": "r1",
    },
}
NOON = {"dateTime": "2026-12-01T12:00:00"}
ONE = {"dateTime": "2026-12-01T13:00:00"}
CASES = [
    ("salesforce", "salesforce_find_contact", {"q": "Ann Lee"}, "Ann Lee"),
    ("salesforce", "salesforce_create_case", {"Subject": "Late parcel"}, '"success": true'),
    ("hubspot", "hubspot_find_contact", {"query": "Ann"}, '"firstname": "Ann"'),
    ("hubspot", "hubspot_create_ticket", {"properties": {"subject": "Late", "content": "x"}}, '"hs_pipeline": "0"'),
    (
        "google-calendar",
        "google_calendar_busy",
        {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00+01:00"},
        "shop@example.com",
    ),
    ("google-calendar", "google_calendar_book", {"summary": "Ann", "start": NOON, "end": ONE}, "confirmed"),
    (
        "calendly",
        "calendly_available_times",
        {"start_time": "2026-12-01T09:00:00Z", "end_time": "2026-12-02T09:00:00Z"},
        "available",
    ),
    ("calendly", "calendly_booking_link", {}, "https://calendly.com/d/abc"),
    ("orders-database", "find_order", {"order_number": "4711"}, "shipped"),
    ("orders-database", "find_order", {"order_number": "4711&select=secret"}, "[]"),
    ("orders-database", "orders_of_caller", {}, '"order_number": "2"'),
]


async def run(base: str, template_id: str, name: str, arguments: Json) -> Answer:
    def based(values: Json) -> Json:
        return {key: value.replace("{base}", base) for key, value in values.items()}

    bodies = [new_body(TOOL, each) for each in filled_in(template(template_id), "c1", based(VARIABLES[template_id]))]
    plan = based(PLANS.get(template_id, BEARER))
    config = CallConfig(
        org=REF.org,
        call=REF.call,
        created_at_ms=1,
        assistant=Assistant.model_validate({"model": {"tools": bodies}}),
        variables={"customer": {"number": "+14155550100"}},
        credentials=(CallCredential(id="c1", provider="custom-credential", authentication=plan),),
    )

    class Stored:
        async def read_config(self, ref: CallRef) -> CallConfig | None:
            return config

    async with customer_client(Guard.parse("127.0.0.0/8"), 4) as client:
        kind = ApiRequestTools(Asker(client, 1024 * 1024), ServerAccess(client, None), None)
        runner = ToolRunner(Stored(), {"apiRequest": kind})
        command = RunTool(tool_call_id="call_1_1", tool_name=name, arguments=arguments, timeout_ms=15_000)
        return await runner.perform(await runner.prepare(REF, command, ""))


async def test_every_tool_of_every_template_is_understood_by_its_vendor() -> None:
    assert {(template_id, name) for template_id, name, _, _ in CASES} == {
        (each["id"], tool["name"]) for each in templates().values() for tool in each["tools"]
    }
    async with open_vendors() as base:
        for template_id, name, arguments, told in CASES:
            answer = await run(base, template_id, name, arguments)
            assert told in str(answer.result), name
        again = CASES[5]
        with pytest.raises(BadAnswer, match="status 409"):
            await run(base, again[0], again[1], again[2])


def test_a_variable_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(BadRequest) as wrong:
        filled_in(template("google-calendar"), "c1", {"timezone": "x"})
    told = str(wrong.value.problems if hasattr(wrong.value, "problems") else wrong.value)
    assert "variables.timezone should not exist" in told
    assert "variables.timeZone must be a string" in told
