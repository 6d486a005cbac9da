"""The language models of this worker, made when first asked for."""

from collections.abc import Callable

from voxbus_contracts.assistant import Model
from voxbus_llm_orchestrator.providers.registry import resolve
from voxbus_providers.model import LanguageModel

Make = Callable[[str], LanguageModel]


class Models:
    """One of each per worker."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._made: dict[str, LanguageModel] = {}

    def get(self, model: Model) -> tuple[str, LanguageModel]:
        """Name and model for a configuration. Raises ProviderError."""
        name = resolve(model)
        if name not in self._made:
            self._made[name] = self._make(name)
        return name, self._made[name]

    async def close(self) -> None:
        for model in self._made.values():
            await model.close()
