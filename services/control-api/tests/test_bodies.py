"""What is wrong with a body is told field by field; changes are laid over what is stored."""

from typing import Any

import pytest

from voxbus_control_api.bodies import new_body
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.kinds import KINDS

NO_URL = "must be a valid URL with its scheme, as in https://example.com/hook"


@pytest.mark.parametrize(
    ("path", "body", "problems"),
    [
        ("/tool", {}, ["type is required"]),
        ("/tool", {"type": 5}, ["type must be a valid string"]),
        (
            "/tool",
            {"type": "apiRequest", "url": "nowhere", "timeoutSeconds": 0},
            [
                "method is required",
                "url " + NO_URL,
                "timeoutSeconds must be greater than or equal to 1",
            ],
        ),
        ("/tool", {"type": "function", "function": {"name": "a b"}, "messages": {}}, None),
        ("/squad", {"members": [{}]}, ["members.0.assistantId or assistant must be given"]),
        ("/squad", {"name": "x"}, ["members is required"]),
        (
            "/squad",
            {"members": [{"assistant": {"model": {"tools": [{"type": "dtmf", "sipInfoDtmfEnabled": "yes"}]}}}]},
            ["members.0.assistant.model.tools.0.sipInfoDtmfEnabled must be a valid boolean"],
        ),
        (
            "/phone-number",
            {"provider": "twilio", "number": "555"},
            [
                "number must be a valid phone number in E.164 form, as in +14155552671",
                "twilioAccountSid is required",
            ],
        ),
        ("/phone-number", {"provider": "vonage", "number": "+14155550100"}, ["credentialId is required"]),
        (
            "/phone-number",
            {"provider": "vapi", "authentication": {"username": "short", "password": "p" * 20}},
            ["authentication.username must have at least 20 characters"],
        ),
        (
            "/phone-number",
            {"provider": "vapi", "numberDesiredAreaCode": "415"},
            ["numberDesiredAreaCode cannot be served: this server sells no phone numbers; give sipUri"],
        ),
        ("/structured-output", {"name": "x"}, ["schema is required"]),
        ("/v2/knowledge-base", {"name": ""}, ["name must have at least 1 character"]),
        (
            "/assistant",
            {"voicemailDetection": 5, "backgroundSound": 5, "hooks": [{}], "artifactPlan": {"recordingFormat": "ogg"}},
            None,
        ),
        ("/assistant", {"serverUrl": "nowhere"}, ["serverUrl " + NO_URL]),
        (
            "/assistant",
            {"voice": {"provider": "custom-voice"}},
            ["voice.server is required when provider is custom-voice"],
        ),
        ("/assistant", {"model": {"provider": "custom-llm"}}, ["model.url is required when provider is custom-llm"]),
        (
            "/assistant",
            {"transcriber": {"provider": "custom-transcriber", "server": {}}},
            ["transcriber.server.url is required"],
        ),
    ],
)
def test_every_wrong_field_is_named_by_its_path(path: str, body: dict[str, Any], problems: list[str] | None) -> None:
    (kind,) = [kind for kind in KINDS if kind.path == path]
    with pytest.raises(BadRequest) as refused:
        new_body(kind, body)
    told = refused.value.problems
    assert problems is None or told == problems
    for sentence in told:
        place = sentence.split(" ")[0]
        assert not place.startswith("~"), told
        assert "[" not in place, told
        assert place.split(".")[0] in body or problems, told
