"""`voxbus call`."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from voxbus_audio import AudioError, is_quiet, read_audio, write_wav
from voxbus_cli.api_access import api_key, api_url, assistant_id
from voxbus_cli.call.api import Api
from voxbus_cli.call.conduct import CallerSpeech, Conduct, Manners, caller_speech
from voxbus_cli.call.drawing import drawing
from voxbus_cli.call.line import converse
from voxbus_cli.call.outcome import has_failed, outcome_of, transcript
from voxbus_cli.call.voice import AgentVoice
from voxbus_cli.environment import read_settings
from voxbus_cli.errors import ApiRefused, BadInput


def call(arguments: argparse.Namespace) -> int:
    """Makes the call and prints what came of it."""
    if not arguments.wav:
        raise BadInput("--wav FILE is needed to make a call; `voxbus call show ID` shows one")
    settings = read_settings(os.environ)
    url, key = api_url(arguments.url, settings), api_key(arguments.key, settings)
    speech = _speech(Path(arguments.wav))
    out, drawn = _writable("--out", arguments.out), _writable("--picture", arguments.picture)
    manners = Manners(
        listens_first=not arguments.talk_over,
        patience_s=arguments.patience,
        hangup_after_s=arguments.hangup_after,
        realtime_factor=arguments.realtime_factor,
    )
    outcome = asyncio.run(
        _call(Api(url, key), key, assistant_id(arguments.assistant, os.environ), speech, manners, out)
    )
    if drawn is not None:
        drawn.write_text(drawing(outcome["turns"]))
    print(json.dumps(outcome, ensure_ascii=False, indent=2) if arguments.json else transcript(outcome))
    return int(has_failed(outcome))


async def _call(
    api: Api, key: str, assistant: str, speech: CallerSpeech, manners: Manners, out: Path | None
) -> dict[str, Any]:
    voice = AgentVoice(speech.sample_rate_hz)
    async with api:
        created = await api.create_call(assistant, speech.sample_rate_hz)
        address = (created.get("transport") or {}).get("websocketCallUrl")
        if not address:
            raise ApiRefused("POST /call: the answer has no transport.websocketCallUrl")
        print(f"call {created['id']}: connecting", file=sys.stderr)
        report = await converse(address, key, Conduct(speech, voice, manners), voice)
        print(f"call {created['id']}: ended after {report.lasted_s:.1f} s: {report.why_ended}", file=sys.stderr)
        if out is not None:
            write_wav(out, voice.time_line(report.lasted_s), speech.sample_rate_hz)
        return outcome_of(await api.settled_call(created["id"]))


def _speech(path: Path) -> CallerSpeech:
    try:
        pcm, sample_rate_hz = read_audio(path)
    except AudioError as wrong:
        raise BadInput(f"--wav: {wrong}") from wrong
    except OSError as wrong:
        raise BadInput(f"--wav: {path} cannot be opened: {wrong.strerror}") from wrong
    return caller_speech(pcm, sample_rate_hz, is_quiet)


def _writable(option: str, name: str | None) -> Path | None:
    """Said before the call, not after it."""
    if name is None:
        return None
    try:
        with Path(name).open("ab"):
            return Path(name)
    except OSError as wrong:
        raise BadInput(f"{option}: {name} cannot be written: {wrong.strerror}") from wrong
