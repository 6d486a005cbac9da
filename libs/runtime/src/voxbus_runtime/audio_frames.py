"""What a message of an audio subject holds."""

from voxbus_proto.media.v1.media_pb2 import AudioFrame


def frames_of(payload: bytes) -> list[AudioFrame]:
    """The message's frames in their order, at least one. Raises google.protobuf.message.DecodeError."""
    first = AudioFrame.FromString(payload)
    return [first, *first.more]
