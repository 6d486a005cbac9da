"""What is to be kept of a call, and what must not be."""

from typing import Literal

from voxbus_contracts.analysis import StructuredOutput
from voxbus_contracts.api_model import ApiModel

RecordingFormat = Literal["wav;l16", "mp3"]


class ArtifactPlan(ApiModel):
    """The parts of the plan that the services act on."""

    recording_enabled: bool = True
    recording_format: RecordingFormat = "wav;l16"
    structured_outputs: tuple[StructuredOutput, ...] = ()


class CompliancePlan(ApiModel):
    """`hipaa_enabled`: nothing that was said is stored, neither as sound nor as text."""

    hipaa_enabled: bool = False
