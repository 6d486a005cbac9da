"""Uploaded files."""

from typing import Annotated, Final

from pydantic import Field

from voxbus_contracts.api_model import ApiModel

PURPOSES: Final = ("assistant", "composer-attachment", "knowledge-base-v2")


class FilePatch(ApiModel):
    """Only the name can be changed."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
