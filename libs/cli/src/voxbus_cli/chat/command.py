"""`voxbus chat`."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import httpx

from voxbus_cli.api_access import api_key, api_url, assistant_id
from voxbus_cli.call.api import is_this_machine
from voxbus_cli.environment import read_settings
from voxbus_cli.errors import ApiRefused, BadInput, NotReachable

_TIMEOUT_S: Final = 90.0
"""Longer than the API takes to say that a chat has failed."""

_PROMPT: Final = "> "


def chat(arguments: argparse.Namespace) -> int:
    """One answer, or a conversation."""
    settings = read_settings(os.environ)
    url, key = api_url(arguments.url, settings), api_key(arguments.key, settings)
    assistant = assistant_id(arguments.assistant, os.environ)
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"--url: {url!r} is no http:// or https:// address")
    headers = {"authorization": f"Bearer {key}"}
    local = is_this_machine(url)
    with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT_S, trust_env=not local) as client:
        try:
            if arguments.say is not None:
                _answer(client, {"assistantId": assistant, "input": arguments.say})
            else:
                _converse(client, assistant)
        except httpx.HTTPError as wrong:
            raise NotReachable(f"{url} does not answer ({type(wrong).__name__}): run `voxbus up` first") from wrong
    return 0


def _converse(client: httpx.Client, assistant: str) -> None:
    session = client.post("/session", json={"assistantId": assistant})
    _check(session)
    for line in _lines():
        try:
            _answer(client, {"sessionId": session.json()["id"], "input": line})
        except ApiRefused as refused:
            print(refused, file=sys.stderr)


def _lines() -> Iterator[str]:
    """What the user writes, up to an empty line or the end of the input."""
    while True:
        if sys.stdin.isatty():
            print(_PROMPT, end="", flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _answer(client: httpx.Client, body: dict[str, Any]) -> None:
    """Prints the answer as it comes. Raises ApiRefused."""
    with client.stream("POST", "/chat", json={**body, "stream": True}) as response:
        if not response.is_success:
            response.read()
        _check(response)
        for text in texts_of(response.iter_lines()):
            print(text, end="", flush=True)
    print()


def texts_of(lines: Iterable[str]) -> Iterator[str]:
    """Lines of server-sent events → the pieces of the answer. Raises ApiRefused where they tell of a failure."""
    for line in lines:
        name, _, value = line.partition(":")
        if name != "data" or value.strip() == "[DONE]":
            continue
        event = json.loads(value)
        if "statusCode" in event:
            raise ApiRefused(f"{event['statusCode']} {event['message']}")
        if "delta" in event:
            yield event["delta"]


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        message = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = response.text[:200]
    said = "; ".join(map(str, message)) if isinstance(message, list) else str(message)
    raise ApiRefused(f"{response.status_code} {said}")
