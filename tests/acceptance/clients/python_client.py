"""Does with `vapi-server-sdk` what the lines of its input say; runs in that package's own environment, either version.

Each line in is a JSON object {resource, method, id?, body?, query?, upload?}; each line out is {"answer": …} or
{"error": {status, body}} with what the library made of the answer, by the names the API gives its fields.
"""

import inspect
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

Json = dict[str, Any]


def main() -> None:
    from vapi import Vapi
    from vapi.core.api_error import ApiError

    client = Vapi(token=os.environ["VOXBUS_KEY"], base_url=os.environ["VOXBUS_API"], timeout=30)
    say({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            method = getattr(getattr(client, command["resource"]), command["method"])
            say({"answer": plain(method(**arguments(method, command)))})
        except ApiError as error:
            say({"error": {"status": error.status_code, "body": error.body}})
        except Exception as wrong:  # noqa: BLE001 - what the library cannot read is the finding
            say({"error": {"status": 0, "body": f"{type(wrong).__name__}: {wrong}"[:2_000]}})


def arguments(method: Callable[..., Any], command: Json) -> Json:
    """The call's keywords; fields that this version does not know go as additional ones, as its users send them."""
    names = {name.replace("_", "").lower(): name for name in inspect.signature(method).parameters}
    given: Json = {"id": command["id"]} if command.get("id") else {}
    for name, value in command.get("query", {}).items():
        given[names[name.lower()]] = value
    if upload := command.get("upload"):
        given["file"] = (upload["name"], upload["text"].encode(), upload["type"])
    body: Json = command.get("body") or {}
    if "request" in names and body:
        return {**given, "request": body}
    known = {name: names.get(name.lower()) for name in body}
    given |= {own: body[name] for name, own in known.items() if own}
    unknown = {name: body[name] for name, own in known.items() if not own}
    return {**given, "request_options": {"additional_body_parameters": unknown}} if unknown else given


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.dict() if hasattr(value, "dict") else value


def say(answer: Json) -> None:
    print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
