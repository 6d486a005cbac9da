"""A turn model of a few bytes, written by hand: the mean of its input through a sigmoid."""

from collections.abc import Sequence


def turn_model(input_name: str = "input_features", shape: Sequence[int] = (1, 80, 800)) -> bytes:
    """ONNX: ReduceMean over everything but the batch, then Sigmoid."""
    axes = _text(1, "axes") + b"".join(_number(8, axis) for axis in (1, 2)) + _number(20, 7)
    keep = _text(1, "keepdims") + _number(3, 0) + _number(20, 2)
    mean = _text(1, input_name) + _text(2, "mean") + _text(4, "ReduceMean") + _part(5, axes) + _part(5, keep)
    squeeze = _text(1, "mean") + _text(2, "logits") + _text(4, "Sigmoid")
    graph = _part(1, mean) + _part(1, squeeze) + _text(2, "turn")
    graph += _part(11, _value(input_name, shape)) + _part(12, _value("logits", (1,)))
    return _number(1, 8) + _part(7, graph) + _part(8, _text(1, "") + _number(2, 13))


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_part(1, _number(1, size)) for size in shape)
    return _text(1, name) + _part(2, _part(1, _number(1, 1) + _part(2, dims)))


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())
