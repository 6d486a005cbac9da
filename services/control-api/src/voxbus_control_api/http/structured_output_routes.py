"""`POST /structured-output/run`: reads a structured output out of calls that are over."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from voxbus_contracts.analysis import StructuredOutput
from voxbus_contracts.commands import AnalyseCall
from voxbus_control_api.analysis import said, shown_output
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.calls.stored_outputs import output_of
from voxbus_control_api.errors import BadRequest, Misconfigured
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.call_answers import found_call
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import described, ref
from voxbus_control_api.http.resource_routes import found
from voxbus_control_api.kinds import STRUCTURED_OUTPUT
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.problems import validated
from voxbus_control_api.schemas.structured_output import RunBody, StructuredOutputBody
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import seal_config

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_NO_ANSWER: Final = "no llm-orchestrator answered in time"
_RESULT: Json = {
    "type": "object",
    "required": ["name", "result"],
    "properties": {"name": {"type": "string"}, "result": {}, "error": {"type": "string"}},
}
_ANSWER: Json = {
    "type": "object",
    "description": "results by the structured output's id; of several calls, those by the call's id",
    "additionalProperties": {"anyOf": [_RESULT, {"type": "object", "additionalProperties": _RESULT}]},
}

router = APIRouter(tags=[STRUCTURED_OUTPUT.name])


@router.post(
    "/structured-output/run", **described(_ANSWER, body=ref("StructuredOutputRun"), name="runStructuredOutput")
)
async def run(org: Org, api: Services, body: Body) -> JSONResponse:
    """Asks the output's model, else that of the call. Unless it is a preview the calls' records keep the answer."""
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
    _check_can_run(output)
    calls = [await found_call(api, org, call_id) for call_id in dict.fromkeys(asked.call_ids)]
    wanted = output_of(output_id, output.model_dump(by_alias=True, exclude_none=True))
    answers = await asyncio.gather(*(_asked(api, call, wanted, asked.preview_enabled) for call in calls))
    by_call = {call.ref.call: {output_id: answer} for call, answer in zip(calls, answers, strict=True)}
    return JSONResponse(by_call if len(calls) > 1 else next(iter(by_call.values())))


async def _asked(api: Api, call: CallRecord, wanted: Json, is_preview: bool) -> Json:
    if not call.has_ended:
        raise BadRequest(f"callIds: the call {call.ref.call} has not ended")
    try:
        model = seal_config(await _model_of(api, call), api.starter.cluster_key)
        output = StructuredOutput.model_validate(seal_config(wanted, api.starter.cluster_key))
    except BadSeal as missing:
        raise Misconfigured(str(missing)) from missing
    command = AnalyseCall(
        run=api.new_id(),
        outputs=(output,),
        model=model,
        messages=tuple(said(call.record)),
        ended_reason=call.record.get("endedReason", ""),
        is_preview=is_preview,
    )
    made = await api.bus.analysed(call.ref, command)
    return shown_output(made) if made else {"name": output.name, "result": None, "error": _NO_ANSWER}


async def _model_of(api: Api, call: CallRecord) -> Json:
    """Of the assistant the call was made with, as it is now."""
    posted = call.record.get("assistant")
    assistant_id = call.record.get("assistantId")
    if not posted and isinstance(assistant_id, str):
        stored = await api.resources.get(call.ref.org, "assistant", assistant_id)
        posted = stored.body if stored else None
    model = posted.get("model") if isinstance(posted, dict) else None
    return model if isinstance(model, dict) else {}


def _check_can_run(output: StructuredOutputBody) -> None:
    """Raises BadRequest naming all that cannot be done."""
    problems: list[str] = []
    if output.type == "regex" and output.regex is None:
        problems.append("structuredOutput.regex is required when type is regex")
    if output.type == "regex" and output.schema_.get("type") != "boolean":
        problems.append("structuredOutput.schema.type must be boolean: a regex only tells whether it matches")
    if problems:
        raise BadRequest(*problems)
