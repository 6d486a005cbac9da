"""`make slots`: all recorded drink orders through real calls; how many of their slots reach the tool's arguments."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))

from ordering import ordered
from stack import running

from voxbus_testing.speech import recordings_dir


def main() -> int:
    """Exit status 1 when the recognizer understood too little."""
    arguments = argparse.ArgumentParser(prog="make slots", description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/slots"), help="folder of what is written")
    arguments.add_argument("--at-once", type=int, default=6, help="calls at the same time")
    arguments.add_argument("--every", type=int, default=1, help="only every n-th recording")
    arguments.add_argument("--unbiased", action="store_true", help="with the general language model, to compare")
    given = arguments.parse_args()
    folder = recordings_dir()
    if not (folder / "manifest.jsonl").exists():
        print(f"no drink was ordered: there are no recordings in {folder}")
        return 0
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "utt_slots"][:: given.every]
    for row in rows:
        row["file"] = folder / row["path"].removeprefix("shared/").removeprefix("speech/")
    began_s = time.monotonic()
    bias = {"VOXBUS_STT_BIAS": "false"} if given.unbiased else {}
    with tempfile.TemporaryDirectory() as data, running(Path(data) / "data", **bias) as stack:
        score, told = asyncio.run(ordered(stack, rows, given.at_once))
    print("\n".join(score.lines()))
    waits = sorted(ms for each in told for ms in each["ms"])
    print(
        f"final after the end of speech: median {waits[len(waits) // 2]} ms; {time.monotonic() - began_s:.0f} s in all"
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / ("unbiased.json" if given.unbiased else "slots.json")).write_text(json.dumps(told, indent=1))
    return 0 if given.unbiased or (score.recall >= 0.85 and score.extra_share <= 0.1) else 1


if __name__ == "__main__":
    sys.exit(main())
