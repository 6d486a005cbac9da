"""Live state = state folded from the log: at any cut, in any order that keeps each producer's own."""

from operator import itemgetter

from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_call import MS_PER_CHARACTER, VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.language import is_same_language
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState

WORDS = ["", "yes", "no stop", "where is my order please", "four two seven"]
LANGUAGES = [None, "en", "en-GB", "es"]

speech = st.tuples(
    st.integers(200, 15_000), st.integers(100, 2_000), st.sampled_from(WORDS), st.sampled_from(LANGUAGES)
)
story = st.fixed_dictionaries(
    {
        "speech": st.lists(speech, max_size=6),
        "greeting": st.sampled_from(["", "Hello there, how are you today?"]),
        "say_at": st.none() | st.integers(100, 12_000),
        "add_at": st.none() | st.integers(100, 12_000),
        "break_at": st.none() | st.integers(500, 10_000),
        "tool": st.booleans(),
    }
)


def lived(story: dict, dies_ms: int | None = None) -> VirtualCall:  # type: ignore[type-arg]
    answers: list[list[object]] = [["One moment, please.", ("look", {"n": 1})]] if story["tool"] else []
    virtual = VirtualCall(Plan(first_message=story["greeting"]), [*answers, ["It is on its way to you right now."]])
    virtual.attach()
    free_ms = 0
    for start, length, text, virtual.language in sorted(story["speech"], key=itemgetter(0)):
        begin = max(start, free_ms)
        virtual.caller_says(text, begin, length)
        free_ms = begin + length + 300
    if story["tool"]:
        done = e.ToolFinished(tool_call_id="call_2_1", tool_name="look", result="fine", duration_ms=9)
        virtual.happens(9_000, "tool-runner", done)
    if story["say_at"]:
        virtual.happens(story["say_at"], "control-api", c.SayOnCall(content="Please hold.", interrupt_assistant=True))
    if story["add_at"]:
        virtual.happens(story["add_at"], "control-api", c.AddMessage(role="system", content="A fact."))
    if story["break_at"]:
        virtual.break_line(story["break_at"], back_ms=story["break_at"] + 2_000)
    if dies_ms is not None:
        virtual.worker_dies(dies_ms)
    return virtual.run(25_000)


@settings(max_examples=60, deadline=None)
@given(story, st.integers(0, 10_000))
def test_the_state_folded_from_the_log_is_the_live_state_in_any_order_of_arrival(story: dict, seed: int) -> None:  # type: ignore[type-arg]
    virtual = lived(story)
    assert fold(virtual.log) == virtual.state
    assert fold(shuffled(virtual.log, seed)) == virtual.state


@settings(max_examples=40, deadline=None)
@given(story, st.floats(0, 1))
def test_at_any_cut_the_state_is_the_one_that_was_live_there(story: dict, where: float) -> None:  # type: ignore[type-arg]
    virtual = lived(story)
    cut = int(len(virtual.log) * where)
    state = CallState()
    for entry in virtual.log[:cut]:
        state = apply(state, entry.message, entry.event_id)
    assert fold(virtual.log[:cut]) == state
    assert fold(shuffled(virtual.log[:cut], 7)) == state


@settings(max_examples=60, deadline=None)
@given(story)
def test_whatever_happens_the_history_holds_no_word_that_was_not_played(story: dict) -> None:  # type: ignore[type-arg]
    virtual = lived(story)
    for reply in virtual.state.replies.values():
        playbacks = [virtual.state.playbacks.get(seq) for seq in reply.utterances]
        played_ms = sum(playback.played_ms for playback in playbacks if playback)
        assert len(reply.heard) * MS_PER_CHARACTER <= played_ms + len(reply.utterances) * MS_PER_CHARACTER


@settings(max_examples=60, deadline=None)
@given(story)
def test_every_turn_is_answered_or_the_caller_spoke_again(story: dict) -> None:  # type: ignore[type-arg]
    virtual = lived(story)
    answered = {reply.turn for reply in virtual.state.replies.values()}
    assert virtual.state.ended or all(turn in answered or not t.text for turn, t in virtual.state.turns.items())


@settings(max_examples=60, deadline=None)
@given(story)
def test_every_turn_that_sounded_is_measured_once_and_its_parts_add_up(story: dict) -> None:  # type: ignore[type-arg]
    virtual = lived(story)
    measured = [m for m in virtual.said(e.TurnMeasured) if isinstance(m, e.TurnMeasured)]
    assert len({each.turn for each in measured}) == len(measured)
    for each in measured:
        assert min(each.parts.values()) >= 0
        assert abs(sum(each.parts.values()) - each.v2v_ms) <= 5
    # An answer to a message from outside may take along what a turn's tools found.
    awaited = {tool.turn for tool in virtual.state.tools.values() if not tool.finished or story["add_at"]}
    replies = [r for r in virtual.state.replies.values() if r.ended == "finished" and r.utterances and r.turn]
    assert {reply.turn for reply in replies} - awaited <= {each.turn for each in measured}


@settings(max_examples=60, deadline=None)
@given(story, st.integers(500, 20_000))
def test_every_change_of_language_is_told_once_whoever_owns_the_call(story: dict, dies_ms: int) -> None:  # type: ignore[type-arg]
    virtual = lived(story, dies_ms=dies_ms)
    known = None
    for told in virtual.said(e.LanguageDetected):
        assert isinstance(told, e.LanguageDetected)
        assert told.before == known
        assert known is None or not is_same_language(known, told.language)
        assert virtual.state.finals[told.transcript_seq].language == told.language
        known = told.language
    assert virtual.state.language == known
