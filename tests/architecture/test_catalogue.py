"""Everything that may be said on the bus is in the catalogue, with an example that is true."""

import importlib
import pkgutil

import pytest

import voxbus_contracts
from voxbus_cli.generate.readers import live_readers
from voxbus_contracts import ALL_COMMANDS, ALL_EVENTS, CallRef, Command, Event, Message, decode
from voxbus_contracts.identity import SERVICES
from voxbus_contracts.subjects import parse

MESSAGES = (*ALL_EVENTS, *ALL_COMMANDS)


def subclasses(of: type[Message]) -> set[type[Message]]:
    direct = {each for each in of.__subclasses__() if each.__module__.startswith("voxbus_")}
    return direct.union(*(subclasses(each) for each in direct))


def test_every_message_class_is_in_the_catalogue() -> None:
    for module in pkgutil.walk_packages(voxbus_contracts.__path__, "voxbus_contracts."):
        importlib.import_module(module.name)
    assert subclasses(Event) == set(ALL_EVENTS)
    assert subclasses(Command) == set(ALL_COMMANDS)


def test_no_two_messages_have_the_same_subject() -> None:
    names = [(message.kind, message.name()) for message in MESSAGES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_an_example_is_valid_complete_and_survives_the_bus(message: type[Message]) -> None:
    assert set(message.example) <= set(message.model_fields), "a field of the example is not in the schema"
    made = message.model_validate(message.example, strict=False)
    assert decode(message.kind, message.name(), made.payload()) == made


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_has_known_owners_a_summary_and_a_subject_that_parses(message: type[Message]) -> None:
    assert message.owner
    assert set(message.owner) <= set(SERVICES)
    assert (message.__doc__ or "").strip().endswith(".")
    parsed = parse(message.subject(CallRef("org", "call-a0")))
    assert (parsed.kind, parsed.entity, parsed.what) == (message.kind, message.entity, message.what)


def test_services_follow_only_messages_that_exist() -> None:
    names = {message.name() for message in MESSAGES}
    assert {stage: sorted(read - names) for stage, read in live_readers().items() if read - names} == {}


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=lambda command: command.__name__)
def test_a_command_has_one_consumer(command: type[Command]) -> None:
    assert len(command.consumer) == 1
    assert set(command.consumer) <= set(SERVICES)
