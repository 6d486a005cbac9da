"""`python -m voxbus_stt_worker.providers.pocketsphinx_builder_child`: makes language models of assistants' terms.

A process of its own, so that neither calls being decoded nor the service's frames wait for it.
"""

import json
from pathlib import Path
from typing import Any, Final

from pocketsphinx import get_model_path

from voxbus_providers.errors import ProviderUnavailable
from voxbus_providers.pipe import ChildPipe, PipeMessage
from voxbus_providers.terms import RecognitionTerms
from voxbus_stt_worker.language.build import build, forget_oldest
from voxbus_stt_worker.language.general import general_language
from voxbus_stt_worker.language.pronunciations import Pronunciations
from voxbus_stt_worker.providers.pocketsphinx_wire import BuildKind

_MOST_WORDS: Final = 2_000
_MOST_PAIRS: Final = 20_000


class Builder:
    """The general language and how words sound, loaded once; 0.4 s of an idle core."""

    def __init__(self) -> None:
        wheel = Path(get_model_path()) / "en-us"
        self._sounds = Pronunciations((wheel / "cmudict-en-us.dict").read_bytes())
        self._general = general_language((wheel / "en-us.lm.bin").read_bytes(), _MOST_WORDS, _MOST_PAIRS)
        self._sounds.keep(self._general.words)

    def build(self, body: bytes) -> None:
        """Makes the folder the message names. Raises OSError."""
        asked = json.loads(body)
        folder = Path(asked["folder"])
        build(folder, terms_of(asked["terms"]), self._general, self._sounds)
        forget_oldest(folder.parent)


def terms_of(fields: dict[str, Any]) -> RecognitionTerms:
    """Terms that came as JSON."""
    groups = tuple(tuple(group) for group in fields.pop("groups"))
    return RecognitionTerms(groups=groups, **{name: tuple(values) for name, values in fields.items()})


def serve(pipe: ChildPipe, builder: Builder, message: PipeMessage) -> None:
    """Answers one message."""
    if message.kind != BuildKind.BUILD:
        return
    try:
        builder.build(message.body)
    except OSError as problem:
        pipe.fault(message.exchange, ProviderUnavailable("pocketsphinx", f"no model was written: {problem.strerror}"))
    else:
        pipe.send(message.exchange, BuildKind.BUILT)


def main() -> None:
    """Serves the pipe until the service hangs up."""
    pipe = ChildPipe()
    builder = Builder()
    pipe.ready()
    for message in pipe.messages():
        serve(pipe, builder, message)


if __name__ == "__main__":
    main()
