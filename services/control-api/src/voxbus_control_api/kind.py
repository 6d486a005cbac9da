"""What the routes must know of a kind of stored resource. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from voxbus_control_api.listing import Filters
from voxbus_control_api.overrides import without_nulls

Json = dict[str, Any]
Shape = Literal["array", "pages"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource that is given back as it was posted.

    `shape` is what a request's body must fit; `lists` are paths with what a list there looks like; `added` are fields
    of our own beside the id; `fixed` are fields that a change may repeat but not change; `lookup` are fields one of
    whose values belongs to one resource of an organisation alone.
    """

    name: str
    path: str
    title: str
    shape: Any
    lists: tuple[tuple[str, Shape], ...]
    filters: Filters = field(default_factory=Filters)
    as_read: Callable[[Json], Json] = without_nulls
    added: Json = field(default_factory=Json)
    hidden_in_lists: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    patch_aliases: tuple[str, ...] = ()

    @property
    def own_fields(self) -> frozenset[str]:
        """What is ours to say: ignored when it is posted."""
        return frozenset({"id", "orgId", "createdAt", "updatedAt", *self.added})

    def lookup_of(self, body: Json) -> str | None:
        return next((body[name] for name in self.lookup if isinstance(body.get(name), str) and body[name]), None)
