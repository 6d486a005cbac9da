"""What a call's server is told: the same log makes the same messages, from wherever it is read."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import Message
from voxbus_contracts.catalogue import ALL_EVENTS
from voxbus_contracts.commands import SaySentence
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import Delivery
from voxbus_contracts.events import (
    CallEnded,
    CallRinging,
    CallStarted,
    CallTransferred,
    HandoffCompleted,
    LanguageDetected,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplyInterrupted,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    ToolFinished,
    ToolRequested,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
)
from voxbus_contracts.streams import SERVER_MESSAGES
from voxbus_contracts.subjects import events_named
from voxbus_contracts.told.call_messages import HANG_AFTER_MS
from voxbus_contracts.told.server_messages import TOLD, LoggedFact, ServerMessages, is_followed, wanted_of

CALL = "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3bab"
SERVER = {"server": {"url": "https://shop.example/hook", "secret": "sealed:v1:abc"}}


def config(**changes: Any) -> CallConfig:
    assistant = {"firstMessage": "Hello.", "server": {"url": "https://shop.example/hook", "secret": "sealed:v1:abc"}}
    assistant |= changes.pop("assistant", {})
    made = {"org": "org-1", "call": CALL, "created_at_ms": 1, "assistant": assistant, "message_server": SERVER}
    return CallConfig.model_validate(made | changes)


def final(seq: int, text: str) -> TranscriptFinal:
    return TranscriptFinal(
        transcript_seq=seq,
        text=text,
        start_pts_ms=1_000,
        end_pts_ms=2_000,
        speech_seq=1,
        provider="position",
        recognition_ms=1,
    )


TALK: tuple[Message, ...] = (
    CallRinging(),
    CallStarted(pts_ms=0, setup_ms=5),
    SpeechStarted(speech_seq=1, pts_ms=1_000, detected_pts_ms=1_080),
    TranscriptPartial(transcript_seq=1, text="where is", start_pts_ms=1_000, end_pts_ms=1_500),
    SpeechStopped(speech_seq=1, pts_ms=2_000, detected_pts_ms=2_100, voiced_ms=900),
    final(1, "where is my order"),
    TurnCommitted(
        turn=1,
        text="where is my order",
        transcript_seqs=(1,),
        anchor_pts_ms=2_000,
        reason="r",
        waited_ms=1,
        pts_ms=2_100,
    ),
    ToolRequested(tool_call_id="c1", tool_name="find", arguments={"order": "1"}, reply=2, turn=1),
    ToolFinished(tool_call_id="c1", tool_name="find", result="On its way.", duration_ms=50),
    ReplyStarted(reply=2, turn=1, source="model"),
    SaySentence(utterance_seq=1, reply=2, turn=1, text="It ships on Friday."),
    PlaybackStarted(utterance_seq=1, pts_ms=2_500),
    PlaybackFinished(utterance_seq=1, played_ms=900, pts_ms=3_400),
    ReplyFinished(reply=2, turn=1, heard="It ships on Friday.", pts_ms=3_400),
    CallEnded(pts_ms=9_000, reason="customer-ended-call"),
    ReplyInterrupted(reply=3, turn=1, heard="late", up_to_utterance_seq=2, pts_ms=9_100, reason="call-ended"),
)


def facts(*messages: Message, step_ms: int = 100) -> list[LoggedFact]:
    return [
        LoggedFact(10 + 3 * n, f"event-{n}", "llm-orchestrator", 1, 0, 1_000_000 + step_ms * n, message)
        for n, message in enumerate(messages)
    ]


def told(deliveries: list[Delivery]) -> list[dict[str, Any]]:
    return [json.loads(each.body)["message"] for each in deliveries]


def everything(messages: ServerMessages, *log: LoggedFact) -> list[Delivery]:
    return [made for fact in log for made in messages.on_fact(fact)]


def test_a_call_is_told_in_order_by_default_and_nothing_follows_its_end() -> None:
    made = told(everything(ServerMessages(config()), *facts(*TALK)))
    assert [each["type"] for each in made] == [
        *("status-update", "status-update", "assistant.started"),
        *("speech-update", "speech-update", "conversation-update"),
        *("conversation-update", "conversation-update"),
        *("speech-update", "speech-update", "conversation-update"),
        "status-update",
    ]
    assert [each["status"] for each in made if each["type"] == "status-update"] == ["ringing", "in-progress", "ended"]
    assert made[-1]["endedReason"] == "customer-ended-call"


def test_every_message_says_which_call_and_assistant_and_shows_no_secret() -> None:
    monitor = {"controlUrl": "https://api/control", "listenUrl": "sealed:v1:x"}
    made = everything(ServerMessages(config(assistant_id="a-1", monitor=monitor)), *facts(*TALK))
    for each in told(made):
        assert each["call"]["id"] == CALL
        assert each["call"]["orgId"] == "org-1"
        assert each["call"]["monitor"] == {"controlUrl": "https://api/control"}
        assert each["assistant"]["id"] == "a-1"
        assert each["assistant"]["firstMessage"] == "Hello."
        assert "artifact" in each
    assert all(b"sealed" not in each.body for each in made)
    conversation = next(each for each in told(made) if each["type"] == "conversation-update")
    assert conversation["artifact"]["transcript"] == "User: where is my order\n"


def test_only_what_server_messages_name_is_told_and_what_needs_an_answer_is_not() -> None:
    asked = {"serverMessages": ["transcript", "tool-calls", "assistant-request", "something-else"]}
    made = told(everything(ServerMessages(config(assistant=asked)), *facts(*TALK)))
    assert {each["type"] for each in made} == {"transcript"}
    assert [(each["role"], each["transcriptType"], each["transcript"]) for each in made] == [
        ("user", "partial", "where is"),
        ("user", "final", "where is my order"),
        ("assistant", "final", "It ships on Friday."),
    ]


def test_a_filter_for_final_transcripts_is_sent_under_its_own_name() -> None:
    kind = 'transcript[transcriptType="final"]'
    made = told(everything(ServerMessages(config(assistant={"serverMessages": [kind]})), *facts(*TALK)))
    assert [(each["type"], each["transcript"]) for each in made] == [
        (kind, "where is my order"),
        (kind, "It ships on Friday."),
    ]


def test_whatever_a_message_is_made_of_is_read_by_those_who_make_them() -> None:
    """The consumer's filter is a list of its own: an event that is missing there is never told."""
    everything_wanted = config(assistant={"serverMessages": sorted(TOLD)})
    for event in ALL_EVENTS:
        made = everything(ServerMessages(everything_wanted), *facts(event.model_validate(event.example)))
        assert not made or events_named(event.entity, event.what) in SERVER_MESSAGES.filter_subjects, event.name()


def test_of_a_private_call_that_is_forwarded_only_where_to_is_told() -> None:
    wanted = {"serverMessages": ["status-update"]}
    gone = CallTransferred(destination="sip:desk@example.org", mode="blind-transfer")
    made = told(everything(ServerMessages(config(assistant=wanted, private=True)), *facts(*TALK[:6], gone)))
    assert made[-1]["destination"] == {"type": "sip", "sipUri": "sip:desk@example.org"}
    assert not {"messages", "transcript", "messagesOpenAIFormatted"} & set(made[-1])


def test_a_change_of_language_is_told_of_private_calls_too() -> None:
    wanted = {"serverMessages": ["language-change-detected"]}
    change = LanguageDetected(language="es", before="en", transcript_seq=3, pts_ms=9_100)
    for private in (False, True):
        (made,) = told(everything(ServerMessages(config(assistant=wanted, private=private)), *facts(*TALK[:3], change)))
        assert (made["type"], made["language"]) == ("language-change-detected", "es")


def test_of_a_private_call_no_word_is_told() -> None:
    private = config(assistant={"serverMessages": sorted(TOLD)}, private=True)
    made = everything(ServerMessages(private), *facts(*TALK))
    assert {each.type for each in made} == {"status-update", "speech-update", "assistant.started"}
    assert all(b"order" not in each.body for each in made)


def test_without_a_server_and_for_a_chat_nothing_is_wanted() -> None:
    assert wanted_of(config(message_server=None)) == frozenset()
    assert wanted_of(config(call_type="chat")) == frozenset()


def test_an_answer_that_is_late_is_told_once_before_what_comes_after_it() -> None:
    messages = ServerMessages(config())
    log = facts(*TALK[:7], step_ms=0)
    everything(messages, *log)
    assert messages.hang_due_ms == 1_000_000 + HANG_AFTER_MS
    (hang,) = messages.on_time(1_000_000 + HANG_AFTER_MS)
    assert (hang.type, hang.place.stream_seq) == ("hang", log[-1].stream_seq)
    assert messages.on_time(2_000_000) == []


def test_a_late_answer_has_the_same_place_whether_the_clock_or_the_next_event_told_it() -> None:
    early, late = facts(*TALK[:7], step_ms=0), facts(*TALK[:8], step_ms=1_000)[-1]
    late = LoggedFact(late.stream_seq, late.event_id, late.stage, 1, 0, 1_000_000 + HANG_AFTER_MS + 1, late.message)
    by_event, by_clock = ServerMessages(config()), ServerMessages(config())
    everything(by_clock, *early)
    clocked = by_clock.on_time(1_000_000 + HANG_AFTER_MS) + by_clock.on_fact(late)
    everything(by_event, *early)
    assert [each.id for each in by_event.on_fact(late)] == [each.id for each in clocked]


def test_what_a_worker_says_whose_epoch_is_over_is_not_told() -> None:
    messages = ServerMessages(config())
    new = LoggedFact(5, "a", "media-ingress", 2, 1, 1_000, CallRinging())
    old = LoggedFact(6, "b", "media-ingress", 1, 9, 1_001, CallStarted(pts_ms=0, setup_ms=1))
    assert len(messages.on_fact(new)) == 1
    assert messages.on_fact(old) == []


def test_the_report_is_the_last_place_of_the_call_and_needs_its_end() -> None:
    messages = ServerMessages(config())
    assert messages.report({"endedReason": "x"}, 5) is None
    made = everything(messages, *facts(*TALK))
    report = messages.report({"endedReason": "customer-ended-call", "artifact": {"transcript": "t"}}, 5)
    assert report is not None
    assert report.place > max(each.place for each in made)
    (fields,) = told([report])
    assert fields["type"] == "end-of-call-report"
    assert fields["artifact"] == {"transcript": "t"}
    assert fields["call"]["status"] == "ended"
    unwanted = ServerMessages(config(assistant={"serverMessages": ["hang"]}))
    everything(unwanted, *facts(*TALK))
    assert unwanted.report({}, 5) is None


@given(
    cut=st.integers(0, len(TALK)),
    repeats=st.lists(st.integers(0, len(TALK) - 1), max_size=10),
    steps=st.sampled_from([0, 100, 2_000, 5_000]),
)
def test_wherever_a_reader_starts_anew_and_whatever_comes_twice_the_messages_are_the_same(
    cut: int, repeats: list[int], steps: int
) -> None:
    log = facts(*TALK, step_ms=steps)
    whole = everything(ServerMessages(config()), *log)
    first, second = ServerMessages(config()), ServerMessages(config())
    before = everything(first, *log[:cut], *(log[n] for n in repeats if n < cut))
    again = everything(second, *log)
    assert again == whole
    assert [each for each in again if each.place.stream_seq < (log[cut].stream_seq if cut < len(log) else 10**9)][
        : len(before)
    ] == before
    places = [each.place for each in whole]
    assert places == sorted(set(places)), "in order, none twice"


def member(key: str, host: str = "", **assistant: Any) -> dict[str, Any]:
    server = {"server": {"url": f"https://{host}.example"}} if host else {}
    return {"key": key, "assistant": {"name": key, **server, **assistant}}


def to(key: str) -> HandoffCompleted:
    return HandoffCompleted(from_assistant="x", to_assistant=key, member=key, pts_ms=1)


SPEECH = SpeechStarted(speech_seq=1, pts_ms=1, detected_pts_ms=2)
LISTS = ("transfer-update", "assistant.started", "speech-update", "status-update", "end-of-call-report")


def test_a_message_goes_to_the_server_of_the_assistant_that_speaks_and_is_of_its_list() -> None:
    cast = [
        member("1", "billing", serverMessages=["speech-update", "transfer-update"]),
        member("2", "quiet", serverMessages=["hang"]),
        member("3", serverMessages=LISTS),
    ]
    made = config(members=cast, assistant={"name": "0", "serverMessages": LISTS})
    messages = ServerMessages(made)
    log = facts(SPEECH, to("1"), SPEECH, to("2"), SPEECH, to("3"), SPEECH, CallEnded(pts_ms=9, reason="r"))
    deliveries = everything(messages, *log)
    report = messages.report({}, 5)
    assert report is not None
    assert [(each.member, each.type) for each in (*deliveries, report)] == [
        *(("0", "speech-update"), ("0", "transfer-update")),
        *(("1", "speech-update"), ("1", "transfer-update")),
        *(("3", "assistant.started"), ("3", "speech-update"), ("3", "status-update"), ("3", "end-of-call-report")),
    ]
    for each, delivery in zip(told(deliveries), deliveries, strict=True):
        assert each["assistant"]["name"] == delivery.member
    places = [each.place for each in deliveries]
    assert places == sorted(set(places)), "in one order, whoever gets them"


def test_an_assistant_without_a_server_has_the_numbers_or_organisations_else_the_first_ones() -> None:
    cast = [member("1", "billing"), member("2")]
    alone, shared = config(members=cast), config(members=cast, shared_server={"server": {"url": "https://org.example"}})

    def urls(made: CallConfig) -> list[str | None]:
        servers = [made.spoken_by(key).message_server for key in ("0", "1", "2")]
        return [each.server.url if each else None for each in servers]

    assert urls(alone) == ["https://shop.example/hook", "https://billing.example", "https://shop.example/hook"]
    assert urls(shared) == ["https://shop.example/hook", "https://billing.example", "https://org.example"]


def test_the_credential_of_a_members_server_is_its_own() -> None:
    plan = {"type": "hmac", "secretKey": "sealed:v1:abc"}
    own = member("1", server={"url": "https://b.example", "credentialId": "c-1"})
    lent = [{"id": "c-1", "provider": "webhook", "authentication": plan}]
    for where in ({"members": [own], "credentials": lent}, {"members": [{**own, "credentials": lent}]}):
        server = config(**where).spoken_by("1").message_server
        assert server is not None
        assert server.authentication == plan


def test_a_call_is_followed_when_any_of_its_assistants_wants_to_be_told() -> None:
    silent = {"server": None, "serverMessages": []}
    assert not is_followed(config(assistant=silent, message_server=None, members=[member("1")]))
    assert is_followed(config(assistant=silent, message_server=None, members=[member("1", "billing")]))
    assert not is_followed(config(assistant=silent, members=[member("1", "billing", serverMessages=[])]))


def test_that_a_recording_is_stored_has_its_events_place_behind_the_report_and_is_told_where_it_is_wanted() -> None:
    cast = [member("1", "billing", serverMessages=["call.artifact.upload"])]
    made = config(members=cast, assistant={"name": "0"})
    messages = ServerMessages(made)
    assert messages.upload({}, 5, 99) is None, "the call is not over"
    everything(messages, *facts(to("1"), CallEnded(pts_ms=9, reason="r")))
    upload = messages.upload({"artifacts": [], "artifact": {"recordingUrl": "https://api/mono"}}, 5, 99)
    assert upload is not None
    assert (upload.type, upload.member, str(upload.place)) == ("call.artifact.upload", "1", "99.0")
    (fields,) = told([upload])
    assert (fields["artifact"], fields["call"]["status"]) == ({"recordingUrl": "https://api/mono"}, "ended")
    unwanted = ServerMessages(made)
    everything(unwanted, *facts(CallEnded(pts_ms=9, reason="r")))
    assert unwanted.upload({}, 5, 99) is None, "the first assistant had the call, and has not asked for it"
    assert is_followed(made, "call.artifact.upload")
    assert not is_followed(config(), "call.artifact.upload"), "it is none of the defaults"
    assert not is_followed(config(private=True, members=cast), "call.artifact.upload")


def test_of_a_private_calls_other_assistants_no_word_is_told_either() -> None:
    cast = [member("1", "billing", serverMessages=sorted(TOLD))]
    messages = ServerMessages(config(private=True, members=cast, assistant={"serverMessages": []}))
    made = everything(messages, *facts(to("1"), *TALK))
    assert {each.type for each in made} == {"status-update", "speech-update", "assistant.started"}
    assert all(b"order" not in each.body for each in made)


@given(cut=st.integers(0, 40), moves=st.lists(st.sampled_from(["0", "1", "2", "9"]), max_size=6))
def test_with_handoffs_too_the_messages_are_the_same_wherever_a_reader_starts_anew(cut: int, moves: list[str]) -> None:
    cast = [member("1", "billing", serverMessages=["speech-update", "hang"]), member("2", serverMessages=LISTS)]
    made = config(members=cast, assistant={"name": "0", "serverMessages": LISTS})
    log = facts(*(each for key in moves for each in (SPEECH, to(key), SPEECH)), *TALK)
    whole = everything(ServerMessages(made), *log)
    again = ServerMessages(made)
    assert everything(again, *log[:cut]) + everything(again, *log) == whole
    places = [each.place for each in whole]
    assert places == sorted(set(places))
