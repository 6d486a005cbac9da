"""The vocabulary of the Voxbus bus: subjects, events, commands, streams, configuration. Depends on pydantic only."""

from voxbus_contracts.catalogue import ALL_COMMANDS, ALL_EVENTS, BadPayload, UnknownMessage, decode
from voxbus_contracts.envelope import BadEnvelope, Envelope, read_envelope
from voxbus_contracts.identity import CLAIMED_STAGES, DEFAULT_ORG, STAGES, Stage, partition
from voxbus_contracts.message import Command, Event, Message
from voxbus_contracts.subjects import CallRef

__all__ = [
    "ALL_COMMANDS",
    "ALL_EVENTS",
    "CLAIMED_STAGES",
    "DEFAULT_ORG",
    "STAGES",
    "BadEnvelope",
    "BadPayload",
    "CallRef",
    "Command",
    "Envelope",
    "Event",
    "Message",
    "Stage",
    "UnknownMessage",
    "decode",
    "partition",
    "read_envelope",
]
