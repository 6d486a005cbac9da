"""Recognizers by name: one of each in a process, started when first asked for."""

import asyncio

import pytest

from voxbus_contracts.assistant import Transcriber
from voxbus_providers.errors import ProviderMissing, ProviderUnavailable
from voxbus_stt_worker.engines import Engines, chosen
from voxbus_stt_worker.settings import Settings
from voxbus_testing.position import PositionRecognizer


class SlowRecognizer(PositionRecognizer):
    """Counts its starts; the first one fails."""

    starts = 0

    async def start(self) -> None:
        type(self).starts += 1
        await asyncio.sleep(0)
        if self.starts == 1:
            raise ProviderUnavailable("position", "not yet")


@pytest.mark.parametrize(
    ("transcriber", "name"),
    [
        (Transcriber(), "pocketsphinx"),
        (Transcriber(model="position"), "position"),
        (Transcriber(provider="deepgram", model="nova-3"), "deepgram"),
    ],
)
def test_the_platforms_own_recognizer_is_chosen_by_model_and_others_by_provider(
    transcriber: Transcriber, name: str
) -> None:
    assert chosen(transcriber) == name


async def test_calls_that_ask_at_the_same_time_share_one_start_and_a_failed_start_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voxbus_testing.position.PositionRecognizer", SlowRecognizer)
    engines = Engines("position", {})
    failed = await asyncio.gather(*(engines.get("position") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [ProviderUnavailable] * 3
    first, second = await asyncio.gather(*(engines.get("position") for _ in range(2)))
    assert first is second
    assert SlowRecognizer.starts == 2
    await engines.close()


async def test_a_recognizer_nobody_registered_is_missing_and_the_error_says_which_there_are() -> None:
    with pytest.raises(ProviderMissing, match=r"deepgram: unknown; there are: .*pocketsphinx"):
        await Engines("position", {}).get("deepgram")


def test_each_engine_is_made_with_its_own_settings() -> None:
    settings = Settings(stt_processes=3, stt_decoders_per_process=2)
    models = settings.data_dir / "recognition"
    expected = {"processes": 3, "decoders_per_process": 2, "models": models}
    assert settings.engine_arguments["pocketsphinx"] == expected
    assert settings.engine_arguments["vosk"] == {"model": None, "processes": 3}
    assert Settings(stt_bias=False).engine_arguments["pocketsphinx"]["models"] is None
    assert Settings().stt_processes >= 1


async def test_stubs_are_known_only_where_the_operator_wants_them() -> None:
    with pytest.raises(ProviderMissing, match="stub"):
        await Engines("position", {}).get("stub")
    wanted = Engines("position", {}, has_stubs=True)
    assert (await wanted.get("stub")).name == "stub"
    await wanted.close()
