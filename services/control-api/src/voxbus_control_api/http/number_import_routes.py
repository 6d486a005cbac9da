"""`/phone-number/import/…`: the older way to bring a number, its digits in a field that is named after the carrier."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, ref
from voxbus_control_api.http.resource_routes import created, shown
from voxbus_control_api.kinds import PHONE_NUMBER

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_TWILIO: Final = "twilioPhoneNumber"
_VONAGE: Final = "vonagePhoneNumber"

router = APIRouter(prefix="/phone-number/import", tags=[PHONE_NUMBER.name])


def _described(digits: str, also: str) -> Json:
    texts: Json = {name: {"type": "string"} for name in (digits, also)}
    asked: Json = {"type": "object", "required": [digits, also], "properties": texts, "additionalProperties": True}
    return described(ref(PHONE_NUMBER.title), status=201, body=asked, name=f"import{digits[0].upper()}{digits[1:]}")


@router.post("/twilio", **_described(_TWILIO, "twilioAccountSid"))
async def import_from_twilio(org: Org, api: Services, body: Body) -> JSONResponse:
    """The same as `POST /phone-number` with `provider: twilio` and `number`."""
    return await _imported(api, org, body, "twilio", _TWILIO)


@router.post("/vonage", **_described(_VONAGE, "credentialId"))
async def import_from_vonage(org: Org, api: Services, body: Body) -> JSONResponse:
    """The same as `POST /phone-number` with `provider: vonage` and `number`."""
    return await _imported(api, org, body, "vonage", _VONAGE)


async def _imported(api: Api, org: str, body: Json, provider: str, digits: str) -> JSONResponse:
    asked = {**{name: value for name, value in body.items() if name != digits}, "provider": provider}
    if digits in body:
        asked["number"] = body[digits]
    try:
        made = await created(api, org, PHONE_NUMBER, asked)
    except BadRequest as wrong:
        raise BadRequest(*(_as_asked(problem, digits) for problem in wrong.problems)) from None
    return JSONResponse(shown(PHONE_NUMBER, made), 201)


def _as_asked(problem: str, digits: str) -> str:
    """Named as the request has it."""
    return f"{digits} {problem.removeprefix('number ')}" if problem.startswith("number ") else problem
