"""Literal `name → "module:Class"`, imported when first asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from voxbus_providers.errors import ProviderMissing


def load(registry: Mapping[str, str], name: str, extra_of: Mapping[str, str] | None = None) -> Any:
    """The class registered as `name`.

    Raises ProviderMissing when nobody registered it, or when its software is missing: then it names the extra.
    """
    target = registry.get(name)
    if target is None:
        raise ProviderMissing(name, f"unknown; there are: {', '.join(sorted(registry))}")
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as missing:
        extra = (extra_of or {}).get(name, name)
        raise ProviderMissing(name, f"{missing.name} is not installed; install the extra '{extra}'") from missing
