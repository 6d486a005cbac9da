"""Which API a command speaks to, with which key, about which assistant."""

from collections.abc import Mapping

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import BadInput
from voxbus_contracts.identity import DEMO_ASSISTANT


def assistant_id(given: str | None, environ: Mapping[str, str]) -> str:
    """The option, the environment, the demo assistant."""
    return given or environ.get("VOXBUS_DEFAULT_ASSISTANT") or DEMO_ASSISTANT


def api_url(given: str | None, settings: StackSettings) -> str:
    """The option, what the running stack wrote, the default."""
    written = settings.api_url_file
    return given or (written.read_text().strip() if written.exists() else settings.api_url)


def api_key(given: str | None, settings: StackSettings) -> str:
    """The option, the environment, what the stack wrote."""
    if found := given or settings.api_key:
        return found
    written = settings.api_key_file
    if not written.exists():
        raise BadInput(f"--key: no key given, none in VOXBUS_API_KEY, and {written} does not exist: start `voxbus up`")
    return written.read_text().strip()
