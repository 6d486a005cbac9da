"""`POST /structured-output/run`: what can be read out of a call without a model, as a preview."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.call_answers import found_call
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, ref
from voxbus_control_api.http.resource_routes import found
from voxbus_control_api.kinds import STRUCTURED_OUTPUT
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.problems import validated
from voxbus_control_api.schemas.structured_output import RunBody, StructuredOutputBody, pattern_of

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_ANSWER: Json = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["name", "result"],
        "properties": {"name": {"type": "string"}, "result": {"type": "boolean"}},
    },
}

router = APIRouter(tags=[STRUCTURED_OUTPUT.name])


@router.post(
    "/structured-output/run", **described(_ANSWER, body=ref("StructuredOutputRun"), name="runStructuredOutput")
)
async def run(org: Org, api: Services, body: Body) -> JSONResponse:
    """A preview of a `regex` whose schema is boolean: does the transcript match? Everything else is refused."""
    asked = validated(RunBody, without_nulls(body))
    if (asked.structured_output_id is None) == (asked.structured_output is None):
        raise BadRequest("exactly one of structuredOutputId and structuredOutput must be given")
    output, output_id = asked.structured_output, api.new_id()
    if asked.structured_output_id is not None:
        output_id = asked.structured_output_id
        stored = await found(api, org, STRUCTURED_OUTPUT.name, output_id)
        output = validated(StructuredOutputBody, without_nulls(stored.body))
    if output is None:
        raise BadRequest("structuredOutput must be given")
    _check_can_run(asked, output)
    call = await found_call(api, org, asked.call_ids[0])
    transcript = call.record.get("artifact", {}).get("transcript", "")
    result = pattern_of(output.regex or "").is_in(transcript)
    return JSONResponse({output_id: {"name": output.name, "result": result}})


def _check_can_run(asked: RunBody, output: StructuredOutputBody) -> None:
    """Raises BadRequest naming all that this server cannot do."""
    problems: list[str] = []
    if not asked.preview_enabled:
        problems.append("previewEnabled must be true: this server does not change records of calls")
    if len(asked.call_ids) != 1:
        problems.append("callIds must have exactly one id")
    if output.type != "regex":
        problems.append("structuredOutput.type must be regex: this server asks no model about calls that are over")
    elif output.regex is None:
        problems.append("structuredOutput.regex is required when type is regex")
    if output.schema_.get("type") != "boolean":
        problems.append("structuredOutput.schema.type must be boolean: this server only tells whether a regex matches")
    if output.conditions:
        problems.append("structuredOutput.conditions are not supported by this server")
    if problems:
        raise BadRequest(*problems)
