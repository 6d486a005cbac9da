"""The rows of the recordings' manifest."""

import json
from typing import Any

from voxbus_testing.speech import recordings_dir


def rows_of_manifest() -> list[dict[str, Any]]:
    """With their `file`. Raises SystemExit when there are no recordings."""
    folder = recordings_dir()
    if not (folder / "manifest.jsonl").exists():
        raise SystemExit(f"needs the recordings: no manifest.jsonl in {folder}; set VOXBUS_SPEECH_DIR")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return [{**row, "file": folder / row["path"].removeprefix("shared/").removeprefix("speech/")} for row in rows]
