"""What a call has still to say, whatever order and however often its messages come."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts.commands import CancelSpeech, ClearPlayback, SaySentence
from voxbus_contracts.events import PlaybackCleared, PlaybackFinished, ReplyStarted, SpeechSynthesized
from voxbus_contracts.message import Message
from voxbus_tts_worker.speaking import Sentence, Speaking, begun, ended, heard, is_wasted, resumed


def say(seq: int, text: str = "") -> SaySentence:
    return SaySentence(utterance_seq=seq, reply=1, turn=1, text=text or f"sentence {seq}")


def synthesized(seq: int) -> SpeechSynthesized:
    return SpeechSynthesized(utterance_seq=seq, duration_ms=20, characters=1, first_audio_ms=1, provider="x")


def after(*messages: Message, state: Speaking | None = None) -> Speaking:
    state = state or Speaking()
    for message in messages:
        state = heard(state, message, 0.0)
    return state


def spoken_from(state: Speaking) -> list[int]:
    """Everything that is left, in the order in which it is spoken."""
    order: list[int] = []
    while (state := begun(state)).running is not None:
        order.append(state.running.utterance_seq)
        state = ended(state)
    return order


def test_sentences_are_spoken_by_number_however_they_come() -> None:
    assert spoken_from(after(say(3), say(1), say(2))) == [1, 2, 3]


def test_only_one_sentence_runs_at_a_time() -> None:
    state = begun(after(say(1), say(2)))
    assert begun(state) == state
    assert state.running is not None
    assert state.running.utterance_seq == 1


def test_a_sentence_said_twice_is_spoken_once_also_while_it_runs_and_afterwards() -> None:
    running = begun(after(say(1), say(1, "again")))
    assert running.running is not None
    assert running.running.text == "sentence 1"
    assert after(say(1), state=running) == running
    assert spoken_from(after(say(1), state=ended(running))) == []


def test_a_cancel_drops_what_waits_and_stops_what_runs_up_to_its_number() -> None:
    state = begun(after(say(1), say(2), say(3)))
    state = after(CancelSpeech(up_to_utterance_seq=2), state=state)
    assert state.running is None
    assert spoken_from(state) == [3]


def test_a_cancel_of_earlier_sentences_lets_the_running_one_go_on() -> None:
    state = begun(after(say(2)))
    assert after(CancelSpeech(up_to_utterance_seq=1), state=state).running == state.running


def test_clearing_playback_counts_like_a_cancel_for_sentences_that_come_late() -> None:
    for clear in (
        CancelSpeech(up_to_utterance_seq=2),
        ClearPlayback(up_to_utterance_seq=2),
        PlaybackCleared(up_to_utterance_seq=2, utterance_seq=0, played_ms=0, pts_ms=0),
    ):
        assert spoken_from(after(clear, say(1), say(2), say(3))) == [3]


def test_a_takeover_speaks_what_is_neither_on_the_bus_nor_heard_nor_cancelled() -> None:
    finished = PlaybackFinished(utterance_seq=3, played_ms=20, pts_ms=0)
    history = [say(1), say(2), synthesized(2), say(3), finished, say(4), CancelSpeech(up_to_utterance_seq=1), say(5)]
    state = resumed([(message, "trace") for message in history], now_ms=7.0)
    assert spoken_from(state) == [4, 5]
    assert all(each.is_repeat and each.arrived_ms == 7.0 and each.traceparent == "trace" for each in state.waiting)


SEQS = st.integers(1, 8)
MESSAGES = st.lists(
    st.one_of(
        SEQS.map(say),
        SEQS.map(lambda seq: CancelSpeech(up_to_utterance_seq=seq)),
        SEQS.map(lambda seq: ClearPlayback(up_to_utterance_seq=seq)),
    ),
    max_size=25,
)
STEPS = st.lists(st.one_of(MESSAGES.map(tuple), st.sampled_from(["begin", "end"])), max_size=30)


@given(STEPS)
def test_nothing_cancelled_is_spoken_and_all_else_is_spoken_exactly_once_and_in_order(
    steps: list[tuple[Message, ...] | str],
) -> None:
    state, completed, asked, upto = Speaking(), list[int](), set[int](), 0
    for step in [*steps, *(["begin", "end"] * 9)]:
        if step == "begin":
            before = state
            state = begun(state)
            if before.running is None and state.running is not None:
                assert all(state.running.utterance_seq < each.utterance_seq for each in state.waiting)
        elif step == "end":
            completed += [state.running.utterance_seq] if state.running else []
            state = ended(state)
        else:
            for message in step:
                assert isinstance(message, SaySentence | CancelSpeech | ClearPlayback)
                state = heard(state, message, 0.0)
                if isinstance(message, SaySentence):
                    asked |= {message.utterance_seq} if message.utterance_seq > upto else set()
                else:
                    upto = max(upto, message.up_to_utterance_seq)
                    asked = {seq for seq in asked if seq > upto or seq in completed}
        assert state.running is None or state.running.utterance_seq > upto
    assert sorted(completed) == sorted(asked)


@given(MESSAGES, st.lists(st.integers(0, 3), max_size=25), st.data())
def test_a_takeover_at_any_cut_speaks_exactly_what_lacks_synthesized(
    messages: list[Message], progress: list[int], data: st.DataObject
) -> None:
    log: list[Message] = []
    state = Speaking()
    for at, message in enumerate(messages):
        log.append(message)
        state = heard(state, message, 0.0)
        for _ in range(progress[at] if at < len(progress) else 0):
            state = begun(state)
            if state.running is not None:
                log.append(synthesized(state.running.utterance_seq))
                state = ended(state)
    cut = data.draw(st.integers(0, len(log)))
    upto = max((m.up_to_utterance_seq for m in log[:cut] if isinstance(m, CancelSpeech | ClearPlayback)), default=0)
    done = {m.utterance_seq for m in log[:cut] if isinstance(m, SpeechSynthesized)}
    said = {m.utterance_seq for m in log[:cut] if isinstance(m, SaySentence)}
    left = spoken_from(resumed([(message, "") for message in log[:cut]], 0.0))
    assert left == sorted(seq for seq in said - done if seq > upto)
    shuffled = data.draw(st.permutations(log[:cut]))
    assert spoken_from(resumed([(message, "") for message in shuffled], 0.0)) == left


def test_a_repeat_is_marked_only_for_sentences_of_the_past() -> None:
    state = resumed([(say(1), "")], 0.0)
    state = heard(state, say(2), 1.0)
    assert [replace(each, text="").is_repeat for each in state.waiting] == [True, False]


def test_what_was_prepared_is_wasted_when_it_is_cleared_before_anybody_could_hear_it() -> None:
    held, plain = Sentence(3, "x", is_held=True), Sentence(3, "x")
    dropped = after(ClearPlayback(up_to_utterance_seq=3))
    given = after(ReplyStarted(reply=2, turn=1, source="model", utterances=(3,)))
    interrupted = after(ClearPlayback(up_to_utterance_seq=3), state=given)
    states = (Speaking(), dropped, given, interrupted)
    assert [is_wasted(state, held) for state in states] == [None, True, False, False]
    assert not any(is_wasted(state, plain) for state in states)
