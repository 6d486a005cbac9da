from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioFrame(_message.Message):
    __slots__ = ("pcm", "pts_ms", "seq", "utterance_seq", "epoch", "attachment", "filled", "origin_unix_us", "last", "held", "more")
    PCM_FIELD_NUMBER: _ClassVar[int]
    PTS_MS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_SEQ_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_UNIX_US_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    pts_ms: int
    seq: int
    utterance_seq: int
    epoch: int
    attachment: int
    filled: bool
    origin_unix_us: int
    last: bool
    held: bool
    more: _containers.RepeatedCompositeFieldContainer[AudioFrame]
    def __init__(self, pcm: _Optional[bytes] = ..., pts_ms: _Optional[int] = ..., seq: _Optional[int] = ..., utterance_seq: _Optional[int] = ..., epoch: _Optional[int] = ..., attachment: _Optional[int] = ..., filled: _Optional[bool] = ..., origin_unix_us: _Optional[int] = ..., last: _Optional[bool] = ..., held: _Optional[bool] = ..., more: _Optional[_Iterable[_Union[AudioFrame, _Mapping]]] = ...) -> None: ...
