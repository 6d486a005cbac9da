"""The pipe's messages, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_providers.errors import ProviderMissing, ProviderRejected, ProviderUnavailable
from voxbus_providers.pipe import PipeBroken, PipeMessage, PipeParser, fault_body, fault_of, packed

messages = st.lists(
    st.builds(PipeMessage, st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=200)), max_size=8
)


@given(messages, st.lists(st.integers(1, 50)))
def test_messages_come_through_unchanged_however_the_bytes_are_cut(sent: list[PipeMessage], cuts: list[int]) -> None:
    wire = b"".join(packed(m.exchange, m.kind, m.body) for m in sent)
    parser = PipeParser()
    got: list[PipeMessage] = []
    for cut in cuts:
        got += parser.feed(wire[:cut])
        wire = wire[cut:]
    got += parser.feed(wire)
    assert got == sent


def test_bytes_that_are_no_message_are_refused_instead_of_waited_for() -> None:
    with pytest.raises(PipeBroken):
        PipeParser().feed(b"Traceback (most recent call last):")


@pytest.mark.parametrize("kind", [ProviderUnavailable, ProviderRejected, ProviderMissing])
def test_a_fault_keeps_its_kind_and_text_through_the_pipe(
    kind: type[ProviderUnavailable] | type[ProviderRejected] | type[ProviderMissing],
) -> None:
    arrived = fault_of("echo", fault_body(kind("echo", "größer")))
    assert type(arrived) is kind
    assert arrived.detail == "größer"


def test_an_empty_fault_is_taken_for_an_unavailable_engine() -> None:
    assert isinstance(fault_of("echo", b""), ProviderUnavailable)
