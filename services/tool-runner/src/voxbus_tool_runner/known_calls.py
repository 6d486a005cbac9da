"""Calls whose tools ran lately: their configurations, and what every server is told of them, made once each.

A configuration is written once; the only thing that joins it while the call goes on are assistants it is handed to,
so that one who is not known is looked for again.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.shapes import told_call, whole_assistant
from voxbus_runtime.errors import ConfigMissing
from voxbus_runtime.sealing import with_open_monitor
from voxbus_runtime.templates import variables_of
from voxbus_tool_runner.errors import ToolUnknown

_REMEMBERED: Final = 500
_REMEMBERED_S: Final = 600.0


class Configs(Protocol):
    """Where configurations of calls are kept."""

    async def read_config(self, ref: CallRef) -> CallConfig | None: ...


class Learns(Protocol):
    """Whoever has to know of each call whether it is private."""

    def learn(self, config: CallConfig) -> None: ...


class LearntConfigs:
    """Configurations of `configs`; `learns` hears of each that is read and has no need to read it again."""

    def __init__(self, configs: Configs, learns: Learns) -> None:
        self._configs = configs
        self._learns = learns

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        config = await self._configs.read_config(ref)
        if config is not None:
            self._learns.learn(config)
        return config


@dataclass
class KnownCall:
    """A call's configuration while one of its assistants has the call."""

    config: CallConfig
    read_at_s: float
    told: dict[str, Any] | None = None

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """What templates know of the call."""
        return variables_of(self.config)

    def about(self, cluster_key: SecretStr | None) -> dict[str, Any]:
        """`call` and `assistant` of a message, not to be changed. Raises BadSeal."""
        if self.told is None:
            opened = with_open_monitor(self.config, cluster_key)
            self.told = {"call": told_call(opened, "in-progress"), "assistant": whole_assistant(opened)}
        return self.told


class KnownCalls:
    """Reads each configuration once, for up to ten minutes."""

    def __init__(self, configs: Configs, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._configs = configs
        self._now_s = now_s
        self._known: OrderedDict[tuple[CallRef, str], KnownCall] = OrderedDict()

    async def get(self, ref: CallRef, member: str) -> KnownCall:
        """As it is while that member has the call. Raises ToolUnknown."""
        now_s = self._now_s()
        known = self._known.get((ref, member))
        if known is not None and now_s - known.read_at_s < _REMEMBERED_S:
            return known
        known = self._known[ref, member] = KnownCall(await self._read(ref, member), now_s)
        self._forget_old(now_s)
        return known

    async def _read(self, ref: CallRef, member: str) -> CallConfig:
        try:
            config = await self._configs.read_config(ref)
        except ConfigMissing:
            config = None
        if config is None:
            raise ToolUnknown("The call has no configuration any more.")
        try:
            return config.spoken_by(member)
        except KeyError:
            raise ToolUnknown("The call has no such assistant.") from None

    def _forget_old(self, now_s: float) -> None:
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= _REMEMBERED and now_s - self._known[oldest].read_at_s < _REMEMBERED_S:
                return
            del self._known[oldest]
