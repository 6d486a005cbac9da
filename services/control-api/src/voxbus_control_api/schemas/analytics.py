"""Questions about many calls at once."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from voxbus_contracts.api_model import ApiModel

Step = Literal["second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium"]


class TimeRange(ApiModel):
    """The last seven days when nothing is said; without a step it is one piece."""

    step: Step | None = None
    start: datetime | None = None
    end: datetime | None = None
    timezone: str = "UTC"


class Operation(ApiModel):
    """`sumCost` is the name of the sum of cost when there is no alias."""

    operation: Literal["sum", "avg", "count", "min", "max", "history"]
    column: Annotated[str, Field(min_length=1, max_length=200)]
    alias: Annotated[str | None, Field(max_length=40)] = None


class VariableGroup(ApiModel):
    """Groups by a variable of the call."""

    key: Annotated[str, Field(max_length=100)]


class AnalyticsQuery(ApiModel):
    """One question."""

    table: Literal["call", "subscription"]
    name: Annotated[str, Field(max_length=40)]
    group_by: tuple[str, ...] = ()
    group_by_variable_value: tuple[VariableGroup, ...] = ()
    time_range: TimeRange | None = None
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=50)]


class AnalyticsBody(ApiModel):
    """Several questions."""

    queries: Annotated[tuple[AnalyticsQuery, ...], Field(min_length=1, max_length=50)]
