"""What is to be kept of a call, and what must not be."""

from typing import Literal

from voxbus_contracts.api_model import ApiModel

RecordingFormat = Literal["wav;l16", "mp3"]


class ArtifactPlan(ApiModel):
    """The parts of the plan that the recorder acts on."""

    recording_enabled: bool = True
    recording_format: RecordingFormat = "wav;l16"


class CompliancePlan(ApiModel):
    """`hipaa_enabled`: nothing that was said is stored, neither as sound nor as text."""

    hipaa_enabled: bool = False
