from voxbus_contracts.assistant import Assistant, Voice
from voxbus_contracts.config import CallConfig
from voxbus_tts_worker.choosing import Choice
from voxbus_tts_worker.voices import IN_VAIN_AT_MOST, Voices

CALL = "0b6c4a34-3f55-4f38-a15e-2f4be0a1f0c7"


def spoken_with(voice_id: str) -> CallConfig:
    assistant = Assistant(voice=Voice(voice_id=voice_id))
    return CallConfig(org="org-1", call=CALL, created_at_ms=1, assistant=assistant)


def test_sentences_ordered_before_a_handoff_keep_the_old_voice() -> None:
    voices = Voices(spoken_with("espeak"), ["espeak-ng"])
    voices.hand_over(spoken_with("flite"), 4)
    voices.hand_over(spoken_with("flite"), 4)
    assert [voices.of(seq).voice.voice_id for seq in (1, 3, 4, 9)] == ["espeak", "espeak", "flite", "flite"]
    voices.hand_over(spoken_with("espeak"), 7)
    assert [voices.of(seq).voice.voice_id for seq in (3, 6, 7)] == ["espeak", "flite", "espeak"]


def test_a_voice_that_failed_stays_out_when_its_assistant_comes_back() -> None:
    voices = Voices(spoken_with("flite"), ["espeak-ng"])
    broken = Choice("flite")
    for _ in range(IN_VAIN_AT_MOST):
        voices.of(1).failed(broken, is_for_good=False)
    assert broken not in voices.of(1).choices
    voices.hand_over(spoken_with("espeak"), 2)
    voices.hand_over(spoken_with("flite"), 3)
    assert voices.of(3).choices == (Choice("espeak-ng"),)
    voices.of(3).failed(Choice("espeak-ng"), is_for_good=True)
    assert voices.of(3).choices, "the last one is asked whatever happens"
