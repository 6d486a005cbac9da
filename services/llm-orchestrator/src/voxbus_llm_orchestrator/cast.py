"""The assistants of one call, with their secrets open."""

from collections.abc import Callable
from dataclasses import replace

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.conversation import prompt_of
from voxbus_llm_orchestrator.discovered import with_discovered
from voxbus_llm_orchestrator.moving import moving_of, with_moves_offered
from voxbus_llm_orchestrator.plan import Plan, plan_of
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.templated import with_templates
from voxbus_providers.model import Turn


class Cast:
    """Whoever has the call, and whoever had it. `config` grows when an assistant is found while the call runs."""

    def __init__(
        self, config: CallConfig, opened: Callable[[Assistant], Assistant], end_silence_ms: int | None
    ) -> None:
        self._config = config
        self._opened = opened
        self._end_silence_ms = end_silence_ms
        self._open: dict[str, Assistant] = {}

    def knows(self, key: str) -> bool:
        return self._config.has_member(key)

    def learn(self, config: CallConfig) -> None:
        self._config = config

    def config(self, state: CallState) -> CallConfig:
        """While whoever has the call now has it: with that assistant's own variables and credentials."""
        return self._config.spoken_by(state.active)

    def speaking(self, state: CallState) -> tuple[Assistant, Plan]:
        """The assistant that has the call and its plan, with what is known now in the place of their placeholders."""
        assistant = self._filled(state.active, state)
        config = self._config.spoken_by(state.active).model_copy(update={"assistant": assistant})
        plan = replace(plan_of(config, self._end_silence_ms, state.language), moving=moving_of(assistant, self._config))
        return assistant, plan

    def prompts(self, state: CallState) -> Callable[[str], list[Turn]]:
        """What the model of each assistant is told before any conversation."""
        return lambda key: prompt_of(self._filled(key, state))

    def _filled(self, key: str, state: CallState) -> Assistant:
        config = self._config.spoken_by(key)
        if key not in self._open:
            self._open[key] = with_moves_offered(self._opened(config.assistant))
        found = {tool: tools for (member, tool), tools in state.discovered.items() if member == key}
        return with_templates(with_discovered(self._open[key], found), config, state.variables)
