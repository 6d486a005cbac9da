"""`voxbus call show`."""

import argparse
import asyncio
import json
import os

from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput
from voxbus_cli.records.page import readable
from voxbus_cli.records.reading import Places, find_log
from voxbus_cli.records.story import story_of
from voxbus_contracts import CallRef


def show(arguments: argparse.Namespace) -> int:
    """Prints one call."""
    try:
        CallRef(arguments.org or "org", arguments.id)
    except ValueError as wrong:
        raise BadInput(f"the call cannot be named so: {wrong}") from None
    log = asyncio.run(find_log(arguments.id, arguments.org, _places(arguments.nats)))
    story = {"call": log.ref.call, "org": log.ref.org, "source": log.source, **story_of(log.messages)}
    print(json.dumps(story, ensure_ascii=False, indent=2) if arguments.json else readable(story))
    return 0


def _places(nats: str | None) -> Places:
    """The option, the environment, what the running stack wrote; no bus where nothing says that one runs."""
    settings = read_settings(os.environ)
    written = settings.nats_url_file
    url = nats or os.environ.get("VOXBUS_NATS_URL") or (written.read_text().strip() if written.exists() else "")
    return Places(os.environ.get("VOXBUS_OBJECTS_URL") or str(settings.data_dir / "objects"), url)
