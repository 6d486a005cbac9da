"""What is kept of a call beside its words, and the addresses it can be fetched by. Pure.

`recordingUrl` and the other plain fields name a recording for good and want the key; `presigned…Url` are open to
whoever has them and end at `presignedUrlsExpiresAt`, so they are made anew for every answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from voxbus_contracts.events import RecordingStored
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]
Track = Literal["mono", "stereo", "customer", "assistant"]

TRACKS: Final[tuple[Track, ...]] = ("mono", "stereo", "customer", "assistant")
LOGS: Final = "call-logs"

_PRESIGNED: Final = {
    "mono": "presignedMonoUrl",
    "stereo": "presignedStereoUrl",
    "customer": "presignedCustomerUrl",
    "assistant": "presignedAssistantUrl",
    LOGS: "presignedLogUrl",
}


def recorded_files(events: Sequence[PastEvent]) -> dict[str, str]:
    """Track → key in the object store, by the newest recording; empty while there is none."""
    stored = [event.message for event in events if isinstance(event.message, RecordingStored)]
    return {file.track: file.key for file in stored[-1].files} if stored else {}


def addresses(call_url: str, presigned: Mapping[str, str], expires_at: str) -> Json:
    """The fields of `artifact` for what there is: `presigned` has an address for each track and for the logs."""
    plain = {what: f"{call_url}/{_route(what)}" for what in presigned}
    out: Json = {_PRESIGNED[what]: url for what, url in presigned.items()}
    if out:
        out["presignedUrlsExpiresAt"] = expires_at
    if LOGS in plain:
        out["logUrl"] = plain.pop(LOGS)
    return {**out, **_recordings(plain)}


def _route(what: str) -> str:
    return what if what == LOGS else f"{what}-recording"


def _recordings(plain: Mapping[str, str]) -> Json:
    """Today's nested names, and the flat ones that older clients read."""
    if not plain:
        return {}
    names = {"mono": "combinedUrl", "assistant": "assistantUrl", "customer": "customerUrl"}
    recording: Json = {"mono": {names[track]: url for track, url in plain.items() if track in names}}
    flat: Json = {}
    if "stereo" in plain:
        recording["stereoUrl"] = flat["stereoRecordingUrl"] = plain["stereo"]
    if "mono" in plain:
        flat["recordingUrl"] = plain["mono"]
    return {"recording": recording, **flat}
