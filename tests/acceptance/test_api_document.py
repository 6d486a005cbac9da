"""Requests made up from the served OpenAPI document: no answer is a 5xx, none differs from what the document says."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from stack import Stack
from tenants import Tenant

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(960)]

CASES_PER_OPERATION = 8
AT_MOST_S = 900
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "ignored_auth", "use_after_free", "ensure_resource_availability"),
)
"""Not whether every made-up body is taken or refused: unknown and legacy fields are kept on purpose, and one that fits
the document may still name an assistant that is not there."""

KEYS = "^/token"
NO_KEYS = "^/(?!token)"
OF_FEW_FIELDS = "^/(?!token|assistant|squad|tool|phone-number)"
OF_MANY_FIELDS = "^/(assistant|squad|tool|phone-number)"
"""Bodies of assistants and of what holds them have so many fields that trying every limit of each takes an hour: of
those cases fewer and fewer are asked, as `thinning.py` says."""
IN_EARNEST = os.environ.get("VOXBUS_FUZZ") == "all"
"""The long runs take some minutes each: `make acceptance VOXBUS_FUZZ=all`."""

_LONG_RUNS = {
    "at every limit of every field": (OF_FEW_FIELDS, "coverage", CASES_PER_OPERATION),
    "at many limits of bodies with many fields": (OF_MANY_FIELDS, "coverage", CASES_PER_OPERATION),
    "one after the other with what the one before answered": (NO_KEYS, "stateful", 12),
}
RUNS = {
    "at random": (NO_KEYS, "examples,fuzzing", CASES_PER_OPERATION),
    "with keys, which may end the one that is used": (KEYS, "examples,fuzzing,coverage,stateful", 12),
    **(_LONG_RUNS if IN_EARNEST else {}),
}

THINNED = {"SCHEMATHESIS_HOOKS": "thinning", "PYTHONPATH": str(Path(__file__).parent)}

ANYTHING = ("get /health", "get /v2/call/export")
"""Answers that are for people to read, and files."""


@pytest.mark.parametrize("how", RUNS)
def test_answers_to_made_up_requests_are_as_the_document_says(
    stack: Stack, http: httpx.Client, tmp_path: Path, how: str
) -> None:
    """Each run has an organisation of its own, which it may fill with what it likes."""
    fuzzed = Tenant.new(http, "made-up", "of-made-up")
    with fuzzed.http:
        answers_conform(stack, fuzzed, tmp_path, how)


def answers_conform(stack: Stack, fuzzed: Tenant, tmp_path: Path, how: str) -> None:
    paths, phases, cases = RUNS[how]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api}/api-json"),
        *("--header", f"Authorization:Bearer {fuzzed.key}", "--checks", ",".join(CHECKS)),
        *("--include-path-regex", paths, "--phases", phases, "--max-examples", str(cases)),
        *("--generation-deterministic", "--no-shrink"),
        *("--continue-on-failure", "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"),
        *("--workers", "2" if "stateful" not in phases and paths == NO_KEYS else "1"),
        *("--exclude-path-regex", "/events?$"),  # streams, which do not end by themselves
    ]
    environment = {**os.environ, **(THINNED if paths == OF_MANY_FIELDS else {})}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=AT_MOST_S, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    if paths != KEYS:
        assert fuzzed.http.get("/token/self").status_code == 200, "all of it was asked with a key that is valid"


def test_the_document_has_every_route_that_is_not_left_out_on_purpose(http: httpx.Client) -> None:
    document = http.get("/api-json").json()
    operations = [(path, method) for path, methods in document["paths"].items() for method in methods]
    assert len(operations) > 20
    untold, untyped = Counter[str](), Counter[str]()
    for path, method in operations:
        answers = document["paths"][path][method]["responses"]
        good = [status for status in answers if status.startswith(("2", "3"))]
        untold[f"{method} {path}"] += not good
        contents = [content for status in good for content in answers[status].get("content", {}).items()]
        schemas = [told.get("schema", {}) for kind, told in contents if kind == "application/json"]
        untyped[f"{method} {path}"] += any(is_any_object(schema) for schema in schemas)
    assert not +untold, json.dumps(untold)
    assert not untyped - Counter[str](ANYTHING), json.dumps(untyped)


def is_any_object(schema: dict[str, Any]) -> bool:
    """Says nothing of what is in it."""
    inner = schema.get("items", schema)
    return not ({"$ref", "anyOf", "allOf", "properties"} & inner.keys()) and inner.get("additionalProperties") in (
        None,
        True,
    )
