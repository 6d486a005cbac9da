"""The waterfall of a turn: parts that add up to what the caller waited."""

from voxbus_llm_orchestrator.state import Playback, Turn, Utterance, Voiced


def waterfall(turn: Turn, utterance: Utterance, playback: Playback, voiced: Voiced) -> dict[str, float]:
    """Parts of v2v, ms. `bus` is what the others leave: hops between the services and the 20 ms grid."""
    parts = {
        "endpointing": float(turn.endpointing_ms),
        "recognition": float(turn.recognition_ms),
        "model": float(utterance.model_ms),
        "sentence": float(utterance.sentence_ms),
        "voice": float(voiced.first_audio_ms),
        "playout": round(playback.waited_ms, 1),
    }
    parts["bus"] = round((playback.v2v_ms or 0.0) - sum(parts.values()), 1)
    return parts
