"""The language models of this worker, made when first asked for, and the customers' knowledge that goes before them."""

from collections.abc import Callable

from voxbus_contracts.assistant import Model
from voxbus_llm_orchestrator.knowledge_server import KnowledgeServer
from voxbus_llm_orchestrator.providers.registry import resolve
from voxbus_providers.model import LanguageModel

Make = Callable[[str], LanguageModel]


def model_answering(model: Model, stand_in: int) -> Model:
    """The model that answers now: the `stand_in`-th of those that take over, 0 = itself."""
    return model.stand_ins[stand_in - 1] if 0 < stand_in <= len(model.fallback_models) else model


class Models:
    """One of each per worker. `knowledge` None = customers' knowledge is not asked."""

    def __init__(self, make: Make, knowledge: KnowledgeServer | None = None) -> None:
        self.knowledge = knowledge
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
        if self.knowledge is not None:
            await self.knowledge.close()
