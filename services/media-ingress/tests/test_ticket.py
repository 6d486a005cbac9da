"""Who may attach."""

import hashlib

import pytest

from voxbus_contracts import DEFAULT_ORG, CallRef
from voxbus_contracts.config import CallConfig
from voxbus_media_ingress.errors import AttachRefused
from voxbus_media_ingress.ticket import Ticket, admit, read_ticket

CALL = "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3b01"
CONFIG = CallConfig(
    org=DEFAULT_ORG, call=CALL, created_at_ms=0, attach_token_sha256=hashlib.sha256(b"open sesame").hexdigest()
)


def test_the_url_names_call_token_and_organisation() -> None:
    assert read_ticket(f"/{CALL}/transport?token=abc&org=acme") == Ticket(CallRef("acme", CALL), "abc")
    assert read_ticket(f"/{CALL}/transport?token=abc") == Ticket(CallRef(DEFAULT_ORG, CALL), "abc")


@pytest.mark.parametrize(
    "path", ["/", f"/{CALL}", f"/{CALL}/listen", f"/{CALL}/transport/x", "/a.b/transport", f"/{CALL}/transport?org=a.b"]
)
def test_other_paths_and_impossible_ids_are_not_found(path: str) -> None:
    with pytest.raises(AttachRefused) as refused:
        read_ticket(path)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("token", "config", "has_ended", "status"),
    [
        ("open sesame", None, False, 404),
        ("open barley", CONFIG, False, 401),
        ("", CONFIG, False, 401),
        ("", CONFIG.model_copy(update={"attach_token_sha256": ""}), False, 401),
        ("open sesame", CONFIG, True, 410),
    ],
)
def test_strangers_are_sent_away_with_what_to_do(
    token: str, config: CallConfig | None, has_ended: bool, status: int
) -> None:
    with pytest.raises(AttachRefused) as refused:
        admit(Ticket(CONFIG.ref, token), config, has_ended)
    assert refused.value.status == status
    assert "POST /call" in refused.value.message or "websocketCallUrl" in refused.value.message


def test_the_right_token_is_let_in() -> None:
    assert admit(Ticket(CONFIG.ref, "open sesame"), CONFIG, False) is CONFIG


def test_a_call_that_waits_for_a_place_lets_nobody_in_and_says_for_how_long() -> None:
    waiting = CONFIG.model_copy(update={"is_waiting": True})
    with pytest.raises(AttachRefused, match="connect again in a second") as refused:
        admit(Ticket(CONFIG.ref, "open sesame"), waiting, False)
    assert (refused.value.status, refused.value.code) == (503, "call-waits")
    with pytest.raises(AttachRefused) as stranger:
        admit(Ticket(CONFIG.ref, "open barley"), waiting, False)
    assert stranger.value.status == 401
