"""The turn table: who speaks, and why. The first row that decides wins; then the table is asked again.

Every row looks at the state alone, never at how it came about. So a worker that takes a call over reads the log, asks
the table, and does what is outstanding.
"""

from typing import Final

from voxbus_llm_orchestrator import (
    rows_acts,
    rows_caller,
    rows_ending,
    rows_hook_acts,
    rows_hooks,
    rows_idle,
    rows_interruption,
    rows_keypad,
    rows_language,
    rows_measure,
    rows_moving,
    rows_reply,
    rows_speculation,
    rows_supervisor,
    rows_tools,
    rows_voice,
)
from voxbus_llm_orchestrator.decision import At, Decide, OnlyAt, Row, View

BEFORE_THE_ANSWER: tuple[Row, ...] = (
    rows_acts.discover_tools,
    rows_ending.end_on_request,
    rows_ending.end_on_hang_up,
    rows_ending.end_on_lost_line,
)
"""While a stage is missing nothing is said and no turn is taken, whatever the caller says; it is not lost."""

TABLE: tuple[Row, ...] = (
    *BEFORE_THE_ANSWER,
    rows_ending.end_after_transfer,
    rows_ending.end_at_maximum_duration,
    rows_ending.end_after_farewell,
    rows_ending.end_on_silence,
    rows_reply.close_what_was_interrupted,
    rows_interruption.interrupt,
    rows_interruption.forgive,
    rows_interruption.dismiss,
    rows_hooks.doubt,
    rows_speculation.drop,
    rows_acts.reject_tool,
    rows_tools.announce_tool,
    rows_acts.leave_voicemail,
    rows_acts.press_keys,
    rows_reply.order_tools,
    rows_voice.say_failed_again,
    rows_reply.finish,
    rows_acts.tell_keys,
    rows_measure.measure,
    rows_moving.move,
    rows_moving.greet,
    rows_reply.carry_out_orders,
    rows_reply.answer_message,
    rows_reply.speak_first,
    rows_tools.tell_outcome,
    rows_reply.answer_tools,
    rows_hook_acts.act,
    rows_hooks.notice,
    rows_keypad.take_keys,
    rows_language.notice_language,
    rows_caller.ask_endpointing_server,
    rows_caller.commit,
    rows_supervisor.answer_without_final,
    rows_supervisor.ask_back,
    rows_supervisor.give_up_tool,
    rows_tools.keep_company,
    rows_supervisor.retry_model,
    rows_supervisor.say_filler,
    rows_voice.say_silent_again,
    rows_idle.say_something_idle,
    rows_speculation.start,
    rows_reply.ask_model,
)


ENDING: tuple[Row, ...] = (
    rows_ending.end_at_last,
    rows_reply.close_what_was_interrupted,
    rows_voice.say_failed_again,
    rows_reply.finish,
    rows_measure.measure,
    rows_hook_acts.act,
    rows_moving.move_at_last,
    rows_supervisor.give_up_tool,
    rows_supervisor.retry_model,
    rows_voice.say_silent_again,
    rows_reply.ask_model,
)
"""The call is ending, and its hooks have their last word first; nobody interrupts it any more."""

BY_SILENCE: Final = frozenset(
    {
        rows_ending.end_on_silence,
        rows_supervisor.answer_without_final,
        rows_supervisor.ask_back,
        rows_supervisor.give_up_tool,
        rows_supervisor.say_filler,
        rows_voice.say_silent_again,
        rows_idle.say_something_idle,
    }
)
"""They conclude from what nobody said: not while others may be speaking unheard."""

BY_MISSING_WORDS: Final = frozenset({rows_supervisor.answer_without_final, rows_supervisor.ask_back})
"""They conclude from what the recognizer did not say: not while the caller's audio is late itself."""


def decide(view: View) -> Decide | At | None:
    """What to do now; or when to look again; or None: only something new can change anything."""
    if view.state.ended:
        return None
    wakes: list[int] = []
    for row in _rows(view):
        if (view.is_deaf and row in BY_SILENCE) or (view.is_catching_up and row in BY_MISSING_WORDS):
            continue
        answer = row(view)
        if isinstance(answer, Decide | OnlyAt):
            return answer
        if answer is not None:
            wakes.append(answer.pts_ms)
    return At(min(wakes)) if wakes else None


def _rows(view: View) -> tuple[Row, ...]:
    if view.state.ending is not None:
        return ENDING
    return TABLE if view.state.started else BEFORE_THE_ANSWER
