"""Schemas of what this server makes itself: calls, chats, sessions, keys, organisations, credentials.

What is echoed from a request is open; what is ours to say is typed and, where every answer has it, required.
"""

from typing import Any, Final

from voxbus_control_api.http.described import array_of, open_object, pages_of, ref

Json = dict[str, Any]

TEXT: Final[Json] = {"type": "string"}
TIME: Final[Json] = {"type": "string", "format": "date-time"}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Json] = {"type": "number"}
_FLAG: Final[Json] = {"type": "boolean"}
_URL: Final[Json] = {"type": "string", "minLength": 1}
_OPEN: Final[Json] = {"type": "object", "additionalProperties": True}

_CALL_TYPES: Final = ("inboundPhoneCall", "outboundPhoneCall", "webCall", "vapi.websocketCall")
_STATUSES: Final = ("scheduled", "queued", "ringing", "in-progress", "forwarding", "ended")
_ROLES: Final = ("system", "user", "bot", "tool_calls", "tool_call_result")


def _texts(*names: str) -> Json:
    return dict.fromkeys(names, TEXT)


def _stored(required: Json, optional: Json) -> Json:
    return {"allOf": [ref("Stored")], **open_object(required, optional)}


_LATENCIES: Final = ("modelLatency", "voiceLatency", "transcriberLatency", "endpointingLatency", "turnLatency")
_PRESIGNED: Final = ("presignedMonoUrl", "presignedStereoUrl", "presignedCustomerUrl", "presignedAssistantUrl")
_RECORDED: Final = ("recordingUrl", "stereoRecordingUrl", "logUrl", "presignedLogUrl")

_OF_CALLS: Final[dict[str, Json]] = {
    "CostRow": open_object({"type": TEXT, "cost": _NUMBER}),
    "CallMessage": open_object(
        {"role": {"enum": list(_ROLES)}, "time": _NUMBER, "secondsFromStart": _NUMBER},
        {
            **_texts("message", "toolCallId", "name", "result"),
            "endTime": _NUMBER,
            "duration": _NUMBER,
            "toolCalls": {"type": "array", "items": _OPEN},
        },
    ),
    "OpenAIMessage": open_object({"role": TEXT}, {"tool_calls": {"type": "array", "items": _OPEN}}),
    "PerformanceMetrics": open_object(
        {"numUserInterrupted": COUNT, "numAssistantInterrupted": COUNT},
        {
            "turnLatencies": {"type": "array", "items": open_object(dict.fromkeys(_LATENCIES, _NUMBER))},
            **{f"{name}Average": _NUMBER for name in _LATENCIES},
        },
    ),
    "Recording": open_object(
        {}, {"stereoUrl": _URL, "mono": open_object({}, _texts("combinedUrl", "assistantUrl", "customerUrl"))}
    ),
    "Artifact": open_object(
        {
            "messages": array_of("CallMessage"),
            "messagesOpenAIFormatted": array_of("OpenAIMessage"),
            "transcript": TEXT,
        },
        {
            **dict.fromkeys((*_PRESIGNED, *_RECORDED), _URL),
            "presignedUrlsExpiresAt": TIME,
            "recording": ref("Recording"),
            "performanceMetrics": ref("PerformanceMetrics"),
        },
    ),
    "SubscriptionLimits": open_object(
        {"concurrencyBlocked": _FLAG, "concurrencyLimit": COUNT, "remainingConcurrentCalls": COUNT}
    ),
}

_LIFE: Final[Json] = {"type": {"enum": list(_CALL_TYPES)}, "status": {"enum": list(_STATUSES)}}
_TIMES: Final[Json] = {
    "startedAt": TIME,
    "endedAt": TIME,
    **_texts("endedReason", "endedMessage", "phoneCallProvider", "phoneCallTransport"),
}
_TRANSPORT: Final[Json] = open_object({"provider": TEXT}, {"websocketCallUrl": _URL, "callUrl": _URL})

_CALLS: Final[dict[str, Json]] = {
    "Call": _stored(
        {
            **_LIFE,
            "transport": _TRANSPORT,
            "cost": _NUMBER,
            "costs": array_of("CostRow"),
            "costBreakdown": _OPEN,
            "messages": array_of("CallMessage"),
            "artifact": ref("Artifact"),
        },
        {
            **_TIMES,
            "webCallUrl": _URL,
            "monitor": open_object({"controlUrl": _URL}, {"listenUrl": _URL}),
            "subscriptionLimits": ref("SubscriptionLimits"),
            "destination": _OPEN,
            "analysis": _OPEN,
        },
    ),
    "CallSummary": _stored({**_LIFE, "transport": _TRANSPORT, "cost": _NUMBER}, _TIMES),
    "CallBatch": open_object(
        {
            "subscriptionLimits": {"anyOf": [ref("SubscriptionLimits"), {"type": "object", "maxProperties": 0}]},
            "results": array_of("Call"),
            "errors": {"type": "array", "items": open_object({"customer": _OPEN, "error": TEXT})},
        }
    ),
    "CallPage": pages_of("Call"),
    "CallSummaryPage": pages_of("CallSummary"),
    "Accepted": open_object({"status": {"enum": ["accepted"]}}),
}

_COSTS: Final[Json] = {"cost": _NUMBER, "costs": array_of("CostRow")}
_PART: Final[Json] = open_object({"type": TEXT, "text": TEXT, "annotations": {"type": "array"}})
_ITEM: Final[Json] = open_object(
    {"id": TEXT, "type": TEXT, "role": TEXT, "status": TEXT, "content": {"type": "array", "items": _PART}}
)

_CHATS: Final[dict[str, Json]] = {
    "Chat": _stored(
        {"messages": array_of("OpenAIMessage"), "output": array_of("OpenAIMessage"), **_COSTS},
        {"input": {"anyOf": [TEXT, {"type": "array"}]}},
    ),
    "WebChat": open_object({"id": TEXT, "output": array_of("OpenAIMessage")}, _texts("sessionId")),
    "ChatResponse": open_object(
        {
            **_texts("id", "model"),
            "object": {"enum": ["response"]},
            "created_at": COUNT,
            "status": {"enum": ["completed"]},
            "error": {"type": "null"},
            "output": {"type": "array", "items": _ITEM},
        }
    ),
    "Session": _stored(
        {
            "status": {"enum": ["active", "completed"]},
            "expirationSeconds": _NUMBER,
            "messages": {"type": "array", "items": _OPEN},
            **_COSTS,
        },
        {},
    ),
}

_TENANTS: Final[dict[str, Json]] = {
    "Org": open_object({"id": TEXT, "createdAt": TIME, "updatedAt": TIME, "concurrencyLimit": COUNT}),
    "Token": _stored(
        {"tag": {"enum": ["private", "public"]}}, {"name": TEXT, "expiresAt": TIME, "restrictions": _OPEN}
    ),
    "NewToken": {"allOf": [ref("Token")], **open_object({"value": TEXT})},
    "Credential": _stored({"provider": TEXT}, {}),
}

RECORDS: Final[dict[str, Json]] = {**_OF_CALLS, **_CALLS, **_CHATS, **_TENANTS}
