from voxbus_bus.received import Received, Unreadable, read
from voxbus_contracts import CallRef, Envelope
from voxbus_contracts.events import TurnCommitted

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
TURN = TurnCommitted(turn=1, text="my name is Ann", transcript_seqs=(1,), anchor_pts_ms=1, pts_ms=2, reason="r")
HEADERS = Envelope("e1", TURN.schema_id(), 5, "llm-1", "llm-orchestrator", 3, 9).headers()


def test_a_stored_message_is_read_with_its_place_and_delivery() -> None:
    received = read(TURN.subject(REF), HEADERS, TURN.payload(), 17, 2)
    assert isinstance(received, Received)
    assert (received.message, received.stream_seq, received.delivery) == (TURN, 17, 2)
    assert (received.envelope.epoch, received.envelope.number) == (3, 9)


def test_whatever_is_wrong_is_named_and_no_value_is_quoted() -> None:
    bad_payload = read(TURN.subject(REF), HEADERS, b'{"turn": "my name is Ann"}', 1, 1)
    no_header = read(TURN.subject(REF), {k: v for k, v in HEADERS.items() if k != "Vb-Epoch"}, TURN.payload(), 1, 1)
    unknown = read(REF.event("turn", "pondered"), HEADERS, b"{}", 1, 1)
    no_subject = read("event.v1.acme", HEADERS, b"{}", 1, 1)
    named = ("turn: Input should be a valid integer", "Vb-Epoch", "turn.pondered", "no event or command subject")
    for result, words in zip((bad_payload, no_header, unknown, no_subject), named, strict=True):
        assert isinstance(result, Unreadable)
        assert words in result.problem
        assert "Ann" not in result.problem
