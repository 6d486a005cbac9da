"""What is fixed in a benchmark: the words of both sides and the providers' times. What remains is the stack's own."""

from dataclasses import dataclass
from typing import Any, Final

from voxbus_audio import FRAME_MS, hush, speechlike

SILENCE_MS: Final = 200
"""Silence that ends the caller's turn: the vad's default, and the assistant's endpointing."""
RECOGNIZER_MS: Final = 50
"""The stub recognizer's, from the end of speech to its final."""
FIRST_TOKEN_MS: Final = 150
TOKEN_MS: Final = 10
VOICE_MS: Final = 80
VOICE_MS_PER_CHARACTER: Final = 30

QUESTION: Final = "I would like to know where my order is right now"
WORD_MS: Final = 240

TOKENS: Final = (
    *("Yes", ",", " I", " found", " your", " order", " at", " once", "."),
    *(" It", " left", " our", " house", " this", " morning", " and", " will", " be", " at", " your", " door"),
    *(" on", " Friday", " before", " noon", ",", " rain", " or", " shine", "."),
)
ANSWER: Final = "".join(TOKENS)
ANSWER_MS: Final = len(ANSWER) * VOICE_MS_PER_CHARACTER
_FIRST_SENTENCE_TOKENS: Final = TOKENS.index(".") + 1
NOMINAL_MS: Final = SILENCE_MS + RECOGNIZER_MS + FIRST_TOKEN_MS + (_FIRST_SENTENCE_TOKENS - 1) * TOKEN_MS + VOICE_MS
"""What the providers alone take when one waits for the other."""

VOICE_SECONDS: Final = 0.2
"""Speech that interrupts the assistant: the plan's default."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How the assistants of a benchmark differ. `wait_ms` None = the whole startSpeakingPlan is the default one."""

    wait_ms: int | None = 0
    speculates: bool = True


def question_frames() -> list[bytes]:
    """What a caller says, loud to the last sample of the last frame."""
    pcm = speechlike(len(QUESTION.split()) * WORD_MS)
    step = FRAME_MS * 32
    return [pcm[at : at + step] for at in range(0, len(pcm), step)]


def quiet_frames() -> list[bytes]:
    """The noise of a quiet line, for all other times."""
    return [hush(FRAME_MS, seed) for seed in range(50)]


def labels(text: str, length_ms: int) -> list[dict[str, Any]]:
    """Words of an utterance of this length, all as long as each other, for the stub recognizer."""
    words = text.split()
    edges = [round(length_ms * at / len(words)) for at in range(len(words) + 1)]
    return [
        {"text": word, "start_ms": start_ms, "end_ms": end_ms}
        for word, start_ms, end_ms in zip(words, edges, edges[1:], strict=False)
    ]


def assistant(model_url: str, variant: Variant, utterance: tuple[str, int] | None = None) -> dict[str, Any]:
    """An assistant of stub providers; `utterance` = words and length in ms, when callers do not say QUESTION."""
    text, length_ms = utterance or (QUESTION, len(QUESTION.split()) * WORD_MS)
    speculation = {"enabled": variant.speculates}
    plan: dict[str, Any] = {"speculation": speculation}
    if variant.wait_ms is not None:
        silence = {f"on{look}Seconds": SILENCE_MS / 1_000 for look in ("Punctuation", "NoPunctuation", "Number")}
        plan |= {"waitSeconds": variant.wait_ms / 1_000, "transcriptionEndpointingPlan": silence}
    prompt = {"role": "system", "content": "You are a helpful phone agent."}
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "custom-llm", "model": "stub", "url": model_url, "messages": [prompt]},
        "transcriber": {"provider": "stub", "labels": labels(text, length_ms)},
        "voice": {"provider": "stub", "voiceId": str(VOICE_MS)},
        "startSpeakingPlan": plan,
        "stopSpeakingPlan": {"voiceSeconds": VOICE_SECONDS},
        # What is asked after a call would count as answers to turns.
        "analysisPlan": {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}},
        "silenceTimeoutSeconds": 300,
        "maxDurationSeconds": 7_200,
    }
