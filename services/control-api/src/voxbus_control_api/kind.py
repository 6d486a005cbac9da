"""What the routes must know of a kind of stored resource. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from voxbus_control_api.listing import Filters
from voxbus_control_api.overrides import without_nulls
from voxbus_control_api.secret_names import ECHOED, keeping_secrets, masked, unmasked

Json = dict[str, Any]
Shape = Literal["array", "pages"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource that is given back as it was posted.

    `shape` is what a request's body must fit; `lists` are paths with what a list there looks like; `added` are fields
    of our own beside the id; `fixed` are fields that a change may repeat but not change; `lookup` are fields one of
    whose values belongs to one resource of an organisation alone; `masks_secrets` where no answer tells one.
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
    masks_secrets: bool = False

    @property
    def own_fields(self) -> frozenset[str]:
        """What is ours to say: ignored when it is posted."""
        return frozenset({"id", "orgId", "createdAt", "updatedAt", *self.added})

    def lookup_of(self, body: Json) -> str | None:
        return next((body[name] for name in self.lookup if isinstance(body.get(name), str) and body[name]), None)

    def shown(self, body: Json) -> Json:
        """What answers may hold."""
        return masked(body) if self.masks_secrets else body

    def laid_over(self, there: Json, given: Json) -> Json:
        """Given fields replace those there are; who was never shown a secret may leave it out or send the mask."""
        if not self.masks_secrets:
            return {**there, **given}
        told = unmasked(there, given)
        kept = {n: v if n == ECHOED else keeping_secrets(there.get(n), v) for n, v in told.items()}
        return {**there, **kept}
