"""`voxbus gen`."""

import argparse
import sys
from pathlib import Path

from voxbus_cli.errors import BadInput
from voxbus_cli.generate.files import differences, generated, write
from voxbus_cli.generate.stubs import PROTO_ROOT


def gen(arguments: argparse.Namespace) -> int:
    """Writes what is generated, or says what differs."""
    root = Path(arguments.root).absolute()
    if not (root / PROTO_ROOT).is_dir():
        raise BadInput(f"--root: {root} is no checkout of Voxbus: it has no folder {PROTO_ROOT}")
    wanted = generated(root)
    if not arguments.check:
        for line in write(root, wanted):
            print(line)
        print(f"{len(wanted)} files are up to date")
        return 0
    found = differences(root, wanted)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("run `make gen` and commit the result", file=sys.stderr)
    return 1 if found else 0
