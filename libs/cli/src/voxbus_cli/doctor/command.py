"""`voxbus doctor`."""

import argparse
import dataclasses
import json
import os
from typing import Final

from voxbus_cli.doctor.checks import examine
from voxbus_cli.environment import read_settings

_MARKS: Final = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def doctor(arguments: argparse.Namespace) -> int:
    """Prints what was found; 1 when the stack cannot run here."""
    findings = examine(read_settings(os.environ))
    if arguments.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{_MARKS[finding.verdict]} {finding.what:<13} {finding.text}")
    return int(any(finding.verdict == "problem" for finding in findings))
