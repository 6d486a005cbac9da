"""vosk and sherpa-onnx: the suite of all recognizers on modules of the same form, and the real ones' own errors."""

import importlib.util
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxbus_providers.errors import ProviderMissing, ProviderRejected
from voxbus_providers.recognizer import HeardFrame, Recognizer
from voxbus_stt_worker.engines import Engines
from voxbus_stt_worker.providers.folder_recognizer import FolderRecognizer
from voxbus_stt_worker.providers.sherpa import SherpaRecognizer
from voxbus_stt_worker.providers.vosk import VoskRecognizer
from voxbus_testing.conformance import RecognizerProcessConformance, frames_of
from voxbus_testing.vowels import vowels

FAKES = Path(__file__).parent / "fake_engines"
SHERPA_FILES = ("encoder-1.int8.onnx", "encoder-1.onnx", "decoder-1.onnx", "joiner-1.int8.onnx", "tokens.txt")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The children import the modules beside this file."""
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))


@pytest.fixture
def vosk_model(tmp_path: Path) -> Path:
    (tmp_path / "model" / "am").mkdir(parents=True)
    return tmp_path / "model"


@pytest.fixture
def sherpa_model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    for name in SHERPA_FILES:
        (tmp_path / "model" / name).write_text("something")
    return tmp_path / "model"


class FolderConformance(RecognizerProcessConformance):
    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(vowels(), start_pts_ms=4_000)

    def kill_engine(self, recognizer: Recognizer) -> None:
        assert isinstance(recognizer, FolderRecognizer)
        for child in recognizer.children:
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)


class TestVosk(FolderConformance):
    @pytest.fixture
    async def recognizer(self, fakes: None, vosk_model: Path) -> AsyncIterator[Recognizer]:
        engine = VoskRecognizer(vosk_model)
        await engine.start()
        yield engine
        await engine.close()


class TestSherpa(FolderConformance):
    @pytest.fixture
    async def recognizer(self, fakes: None, sherpa_model: Path) -> AsyncIterator[Recognizer]:
        engine = SherpaRecognizer(sherpa_model)
        await engine.start()
        yield engine
        await engine.close()


BOTH = pytest.mark.parametrize("made", [VoskRecognizer, SherpaRecognizer])


@BOTH
async def test_a_model_that_is_not_set_or_not_there_is_said_with_what_to_do(
    fakes: None, made: type[FolderRecognizer], tmp_path: Path
) -> None:
    with pytest.raises(ProviderMissing, match=rf"no model is set: `voxbus models pull {made.example}`"):
        await made(None).start()
    with pytest.raises(ProviderMissing, match=r"there is no folder .*nowhere.*_MODEL to its folder"):
        await made(tmp_path / "nowhere").start()


@BOTH
async def test_a_folder_that_holds_no_model_is_rejected_by_name(
    fakes: None, made: type[FolderRecognizer], tmp_path: Path
) -> None:
    with pytest.raises(ProviderRejected, match=str(tmp_path)):
        await made(tmp_path).start()


async def test_a_package_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(VoskRecognizer, "package", "voxbus_no_such_package")
    with pytest.raises(ProviderMissing, match=r"install the extra 'voxbus-stt-worker\[vosk\]'"):
        await VoskRecognizer(tmp_path).start()


async def test_both_are_found_by_name_and_take_their_folder_from_the_settings(fakes: None, tmp_path: Path) -> None:
    engines = Engines("pocketsphinx", {"vosk": {"model": tmp_path / "gone", "processes": 1}})
    with pytest.raises(ProviderMissing, match="gone"):
        await engines.get("vosk")
    with pytest.raises(ProviderMissing, match="no model is set"):
        await engines.get("sherpa")


@pytest.mark.parametrize(
    ("made", "package", "files", "said"),
    [
        (VoskRecognizer, "vosk", (), "no model vosk can load"),
        (SherpaRecognizer, "sherpa_onnx", SHERPA_FILES, "no model sherpa-onnx can load.*Protobuf"),
    ],
)
async def test_the_real_packages_refuse_a_broken_model_and_the_child_says_so(
    made: type[FolderRecognizer], package: str, files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: requirements/{made.name}.lock")
    for name in files:
        (tmp_path / name).write_text("this is no model")
    with pytest.raises(ProviderRejected, match=said):
        await made(tmp_path).start()
