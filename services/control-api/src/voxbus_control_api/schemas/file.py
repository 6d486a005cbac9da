"""Uploaded files."""

from typing import Annotated

from pydantic import Field

from voxbus_contracts.api_model import ApiModel


class FilePatch(ApiModel):
    """Only the name can be changed."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
