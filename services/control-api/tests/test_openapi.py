"""The served OpenAPI document is true: answers fit it, whatever is asked."""

import json
from typing import Any

import jsonschema
import pytest

from voxbus_contracts.events import AnalysisMade, CallEnded, ReplyFinished

COUNT = {"table": "call", "name": "n", "operations": [{"operation": "count", "column": "id"}]}
TABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("assistant", "/assistant", {"name": None, "model": {"toolIds": None, "temperature": 1}, "x": None, "voice": None}),
    ("assistant", "/assistant", {"serverUrl": "", "backgroundSound": "office", "voicemailDetection": "off"}),
    ("assistant", "/assistant", {"firstMessage": 5, "model": [], "hooks": {}}),
    ("squad", "/squad", {"members": [{"assistant": {"name": None}, "assistantId": None}], "name": None}),
    ("tool", "/tool", {"type": "apiRequest", "url": "https://a.example", "method": "GET", "body": None}),
    ("tool", "/tool", {"type": "query", "knowledgeBases": [{"name": "n", "fileIds": []}]}),
    ("phone-number", "/phone-number", {"provider": "vapi", "sipUri": "sip:a@b.example", "authentication": None}),
    ("phone-number", "/phone-number", {"provider": "twilio"}),
    ("knowledge-base", "/v2/knowledge-base", {"name": "k", "description": None}),
    ("older", "/knowledge-base", {"provider": "trieve", "name": None}),
    ("structured-output", "/structured-output", {"name": "n", "schema": {"type": "boolean"}, "regex": None}),
    ("analytics", "/analytics", {"queries": [COUNT]}),
]


class Document:
    """Checks answers against what is declared of their operation."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def check(self, path: str, method: str, response: Any) -> None:
        operation = self.document["paths"][path][method]
        declared = operation["responses"].get(str(response.status_code))
        assert declared is not None, (path, method, response.status_code, response.text)
        schema = declared["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": self.document["components"]}).validate(response.json())


@pytest.fixture
async def document(server: Any) -> Document:
    return Document((await server.client.get("/openapi.json")).json())


async def test_every_answer_fits_what_is_declared_of_it(server: Any, document: Document) -> None:
    for _name, path, body in TABLE:
        created = await server.client.post(path, json=body)
        document.check(path, "post", created)
        if path == "/analytics" or created.status_code != 201:
            continue
        one = f"{path}/{created.json()['id']}"
        document.check(path, "get", await server.client.get(path))
        document.check(f"{path}/{{id}}", "get", await server.client.get(one))
        document.check(f"{path}/{{id}}", "patch", await server.client.patch(one, json={"note": [None]}))
        document.check(f"{path}/{{id}}", "patch", await server.client.patch(one, json={"name": {}, "members": 5}))
        document.check(f"{path}/{{id}}", "delete", await server.client.delete(one))
        document.check(f"{path}/{{id}}", "get", await server.client.get(one))
        document.check(path, "get", await server.client.get(path, headers={"authorization": ""}))
        document.check(path, "get", await server.client.get(f"{path}?limit=x"))
    document.check("/v2/phone-number", "get", await server.client.get("/v2/phone-number"))
    file = await server.client.post("/file", files={"file": ("a.txt", b"a")})
    document.check("/file", "post", file)
    document.check("/file", "get", await server.client.get("/file"))
    base = (await server.client.post("/v2/knowledge-base", json={"name": "k"})).json()["id"]
    attached = await server.client.post(f"/v2/knowledge-base/{base}/file", json={"fileId": file.json()["id"]})
    document.check("/v2/knowledge-base/{id}/file", "post", attached)
    document.check("/v2/knowledge-base/{id}", "get", await server.client.get(f"/v2/knowledge-base/{base}"))


async def test_every_reference_leads_somewhere_and_every_operation_tells_its_errors(document: Document) -> None:
    text = json.dumps(document.document)
    schemas = document.document["components"]["schemas"]
    for part in text.split('"$ref": "')[1:]:
        target = part.partition('"')[0]
        assert target.removeprefix("#/components/schemas/") in schemas, target
    assert "#/$defs/" not in text
    assert '"422"' not in text
    for path, methods in document.document["paths"].items():
        for method, operation in methods.items():
            missing = {"400", "401", "404", "429"} - set(operation["responses"])
            assert path == "/health" or not missing, (path, method)
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema({**schema, "title": name})


async def test_a_structured_output_is_read_out_of_calls_of_the_past(server: Any, document: Document) -> None:
    first, second = await server.call(), await server.call()
    for call in (first, second):
        heard = ReplyFinished(reply=1, turn=0, heard="Your order is 1234.", pts_ms=1)
        await server.happened(call["id"], heard, CallEnded(pts_ms=2, reason="customer-ended-call"))
    output = {"name": "order", "schema": {"type": "integer"}, "model": {"provider": "openai", "model": "m"}}
    server.bus.made = AnalysisMade(part="structuredOutput:x", output_name="order", result={"value": 1234}, run="r")
    asked = {"callIds": [first["id"]], "previewEnabled": True, "structuredOutput": output}
    tried = await server.client.post("/structured-output/run", json=asked)
    assert tried.status_code == 200, tried.text
    assert list(tried.json().values()) == [{"name": "order", "result": 1234}]
    document.check("/structured-output/run", "post", tried)
    _, command = server.bus.commands[-1]
    assert command.is_preview
    assert command.messages == ({"role": "assistant", "content": "Your order is 1234."},)
    assert command.outputs[0].model == output["model"]
    stored = (await server.client.post("/structured-output", json=output)).json()
    by_id = {"callIds": [first["id"], second["id"]], "structuredOutputId": stored["id"]}
    both = (await server.client.post("/structured-output/run", json=by_id)).json()
    assert both == {call["id"]: {stored["id"]: {"name": "order", "result": 1234}} for call in (first, second)}
    server.bus.made = None
    late = (await server.client.post("/structured-output/run", json=asked)).json()
    assert "no llm-orchestrator" in next(iter(late.values()))["error"]


async def test_a_structured_output_that_cannot_be_run_is_refused_by_its_fields(server: Any) -> None:
    call = await server.call()
    for output, told in (
        (
            {"name": "x", "type": "regex", "schema": {"type": "string"}},
            ["structuredOutput.regex", "structuredOutput.schema.type"],
        ),
        ({"name": "x", "schema": {"type": "nope"}}, ["structuredOutput.schema"]),
        ({"name": "x", "schema": {"$ref": "http://127.0.0.1/x"}}, ["structuredOutput.schema"]),
        ({"name": "x", "schema": {}}, ["callIds:"]),
    ):
        asked = {"callIds": [call["id"]], "structuredOutput": output}
        refused = await server.client.post("/structured-output/run", json=asked)
        assert refused.status_code == 400, output
        message = refused.json()["message"]
        assert [each.split(" ")[0] for each in ([message] if isinstance(message, str) else message)] == told
