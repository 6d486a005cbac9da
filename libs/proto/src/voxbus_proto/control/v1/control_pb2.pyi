from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("stage", "worker", "state", "slots", "calls", "loop_lag_ms")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_MS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    worker: str
    state: str
    slots: int
    calls: _containers.RepeatedScalarFieldContainer[str]
    loop_lag_ms: float
    def __init__(self, stage: _Optional[str] = ..., worker: _Optional[str] = ..., state: _Optional[str] = ..., slots: _Optional[int] = ..., calls: _Optional[_Iterable[str]] = ..., loop_lag_ms: _Optional[float] = ...) -> None: ...

class MetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MetricsReply(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("stay",)
    STAY_FIELD_NUMBER: _ClassVar[int]
    stay: bool
    def __init__(self, stay: _Optional[bool] = ...) -> None: ...

class DrainReply(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: int
    def __init__(self, released: _Optional[int] = ...) -> None: ...

class SayRequest(_message.Message):
    __slots__ = ("org", "call", "content", "end_call_after_spoken", "interrupt_assistant")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    END_CALL_AFTER_SPOKEN_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_ASSISTANT_FIELD_NUMBER: _ClassVar[int]
    org: str
    call: str
    content: str
    end_call_after_spoken: bool
    interrupt_assistant: bool
    def __init__(self, org: _Optional[str] = ..., call: _Optional[str] = ..., content: _Optional[str] = ..., end_call_after_spoken: _Optional[bool] = ..., interrupt_assistant: _Optional[bool] = ...) -> None: ...

class AddMessageRequest(_message.Message):
    __slots__ = ("org", "call", "role", "content", "trigger_response")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    org: str
    call: str
    role: str
    content: str
    trigger_response: bool
    def __init__(self, org: _Optional[str] = ..., call: _Optional[str] = ..., role: _Optional[str] = ..., content: _Optional[str] = ..., trigger_response: _Optional[bool] = ...) -> None: ...

class MuteRequest(_message.Message):
    __slots__ = ("org", "call", "side", "muted")
    class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SIDE_UNSPECIFIED: _ClassVar[MuteRequest.Side]
        SIDE_CUSTOMER: _ClassVar[MuteRequest.Side]
        SIDE_ASSISTANT: _ClassVar[MuteRequest.Side]
    SIDE_UNSPECIFIED: MuteRequest.Side
    SIDE_CUSTOMER: MuteRequest.Side
    SIDE_ASSISTANT: MuteRequest.Side
    ORG_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    org: str
    call: str
    side: MuteRequest.Side
    muted: bool
    def __init__(self, org: _Optional[str] = ..., call: _Optional[str] = ..., side: _Optional[_Union[MuteRequest.Side, str]] = ..., muted: _Optional[bool] = ...) -> None: ...

class EndRequest(_message.Message):
    __slots__ = ("org", "call", "reason")
    ORG_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    org: str
    call: str
    reason: str
    def __init__(self, org: _Optional[str] = ..., call: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CallReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
