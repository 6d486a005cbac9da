"""Requests made up from the served OpenAPI document: no answer is a 5xx, none differs from what the document says."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from stack import Stack
from tenants import Tenant

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

CASES_PER_OPERATION = 8
AT_MOST_S = 420
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "ignored_auth", "use_after_free", "ensure_resource_availability"),
)
"""Not whether every made-up body is taken or refused: unknown and legacy fields are kept on purpose, and one that fits
the document may still name an assistant that is not there."""


@pytest.fixture(scope="module")
def fuzzed(http: httpx.Client) -> Tenant:
    """An organisation that the made-up requests may fill with what they like."""
    return Tenant.new(http, "made-up", "of-made-up")


def test_answers_to_made_up_requests_are_as_the_document_says(stack: Stack, fuzzed: Tenant, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api}/api-json"),
        *("--header", f"Authorization:Bearer {fuzzed.key}", "--checks", ",".join(CHECKS)),
        *("--phases", "fuzzing", "--max-examples", str(CASES_PER_OPERATION)),
        *("--generation-deterministic", "--no-shrink"),
        *("--continue-on-failure", "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"),
        *("--workers", "2"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST_S, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]


def test_the_document_has_every_route_that_is_not_left_out_on_purpose(http: httpx.Client) -> None:
    document = http.get("/api-json").json()
    operations = [(path, method) for path, methods in document["paths"].items() for method in methods]
    assert len(operations) > 20
    untold = Counter[str]()
    for path, method in operations:
        answers = document["paths"][path][method]["responses"]
        good = [status for status in answers if status.startswith(("2", "3"))]
        untold[f"{method} {path}"] += not good
    assert not +untold, json.dumps(untold)
