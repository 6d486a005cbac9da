"""The shape shared by events (facts, past tense) and commands (imperative, one consumer)."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from voxbus_contracts.subjects import CallRef

Personal: Final[JsonDict] = {"x-personal": True}
"""Marks a field that may hold personal data; nothing unmarked ever does."""

PersonalText = Annotated[str, Field(json_schema_extra=Personal)]
"""Text a person said, heard or typed."""

PtsMs = Annotated[int, Field(ge=0, description="milliseconds on the caller's audio clock")]
UtteranceSeq = Annotated[int, Field(ge=1, description="numbers the utterances of a call from 1")]


class Message(BaseModel):
    """Base of all payloads. Readers ignore fields they do not know, so a producer may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    kind: ClassVar[Literal["event", "command"]]
    entity: ClassVar[str]
    what: ClassVar[str]
    schema_version: ClassVar[int]
    owner: ClassVar[tuple[str, ...]]
    """Services that may publish it."""
    example: ClassVar[dict[str, Any]]

    @classmethod
    def name(cls) -> str:
        """`transcript.final`"""
        return f"{cls.entity}.{cls.what}"

    @classmethod
    def schema_id(cls) -> str:
        """`transcript.final/1`, the value of the Vb-Schema header"""
        return f"{cls.name()}/{cls.schema_version}"

    @classmethod
    def subject(cls, ref: CallRef) -> str:
        return f"{cls.kind}.v1.{ref.org}.{ref.part}.{ref.call}.{cls.entity}.{cls.what}"

    def payload(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class Event(Message):
    """A fact that happened on a call."""

    def __init_subclass__(
        cls, *, name: str = "", owner: str | tuple[str, ...] = (), version: int = 1, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls, "event", name, owner, version)


class Command(Message):
    """An order to one consumer."""

    consumer: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls,
        *,
        name: str = "",
        owner: str | tuple[str, ...] = (),
        consumer: str | tuple[str, ...] = (),
        version: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls, "command", name, owner, version)
        cls.consumer = (consumer,) if isinstance(consumer, str) else consumer


def _declare(
    cls: type[Message], kind: Literal["event", "command"], name: str, owner: str | tuple[str, ...], version: int
) -> None:
    cls.kind = kind
    cls.schema_version = version
    if name:
        cls.entity, cls.what = name.split(".")
    cls.owner = (owner,) if isinstance(owner, str) else owner
