"""Assistants for tests: scripted model, position recognizer."""

from typing import Any

from voxbus_testing.speech import LabelledSpeech, hush, saying

LEAD_MS = 1_000
"""Quiet before the caller's first word."""


def scripted(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An assistant that follows `rules` and waits for the caller; `fields` add to or replace its own."""
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "vapi", "model": "scripted", "script": {"rules": list(rules)}},
        "startSpeakingPlan": {"waitSeconds": 0},
        **fields,
    }


def speech_at(
    text: str, start_ms: int = LEAD_MS, word_ms: int = 300
) -> tuple[bytes, LabelledSpeech, list[dict[str, Any]]]:
    """Sound to send from the call's first frame on: quiet, then `text`; and its labels on the caller's clock."""
    speech = saying(text, word_ms)
    return hush(start_ms) + speech.pcm, speech, speech.labels_at(start_ms)


def hearing(assistant: dict[str, Any], labels: list[dict[str, Any]]) -> dict[str, Any]:
    """The assistant with the position recognizer, which knows these words."""
    return {**assistant, "transcriber": {"provider": "vapi", "model": "position", "labels": labels}}
