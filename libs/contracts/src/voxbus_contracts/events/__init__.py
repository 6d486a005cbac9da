"""Facts that happen on a call, one file per spoken concept."""

from voxbus_contracts.events.analysis import AnalysisCompleted, AnalysisMade
from voxbus_contracts.events.call import CallEnded, CallQueued, CallRinging, CallStarted, CallTransferred
from voxbus_contracts.events.chat import ChatEnded, ChatLine, ChatRequested, ChatToolCall, ChatWorded
from voxbus_contracts.events.cost import BudgetExceeded, BudgetWarned, CostRow, CostUpdated, UsageRecorded
from voxbus_contracts.events.fault import FaultRaised
from voxbus_contracts.events.handoff import (
    CallControlRequested,
    DestinationResolved,
    HandoffCompleted,
    HandoffRefused,
)
from voxbus_contracts.events.hook import HookTriggered
from voxbus_contracts.events.media import DtmfReceived, MediaAttached, MediaDetached
from voxbus_contracts.events.playback import (
    PlaybackCleared,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackProgressed,
    PlaybackResumed,
    PlaybackStarted,
)
from voxbus_contracts.events.record import ArchiveStored, CallDeleted, RecordedFile, RecordingStored
from voxbus_contracts.events.reply import (
    MessageAdded,
    ReplyDropped,
    ReplyFinished,
    ReplyGenerated,
    ReplyInterrupted,
    ReplyRetried,
    ReplySpeculated,
    ReplyStarted,
)
from voxbus_contracts.events.speech import (
    SpeechJudged,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    SpeechSynthesized,
    SpokenWord,
)
from voxbus_contracts.events.stage import StageClaimed, StageReleased
from voxbus_contracts.events.tool import (
    DiscoveredTool,
    KeysPressed,
    ToolAttempted,
    ToolFinished,
    ToolGivenUp,
    ToolRequested,
    ToolSays,
    ToolsDiscovered,
)
from voxbus_contracts.events.transcript import (
    LanguageDetected,
    TranscriptDismissed,
    TranscriptFinal,
    TranscriptPartial,
)
from voxbus_contracts.events.turn import TurnCancelled, TurnCommitted, TurnMeasured, TurnWaitAdvised

__all__ = [
    "AnalysisCompleted",
    "AnalysisMade",
    "ArchiveStored",
    "BudgetExceeded",
    "BudgetWarned",
    "CallControlRequested",
    "CallDeleted",
    "CallEnded",
    "CallQueued",
    "CallRinging",
    "CallStarted",
    "CallTransferred",
    "ChatEnded",
    "ChatLine",
    "ChatRequested",
    "ChatToolCall",
    "ChatWorded",
    "CostRow",
    "CostUpdated",
    "DestinationResolved",
    "DiscoveredTool",
    "DtmfReceived",
    "FaultRaised",
    "HandoffCompleted",
    "HandoffRefused",
    "HookTriggered",
    "KeysPressed",
    "LanguageDetected",
    "MediaAttached",
    "MediaDetached",
    "MessageAdded",
    "PlaybackCleared",
    "PlaybackFinished",
    "PlaybackPaused",
    "PlaybackProgressed",
    "PlaybackResumed",
    "PlaybackStarted",
    "RecordedFile",
    "RecordingStored",
    "ReplyDropped",
    "ReplyFinished",
    "ReplyGenerated",
    "ReplyInterrupted",
    "ReplyRetried",
    "ReplySpeculated",
    "ReplyStarted",
    "SpeechJudged",
    "SpeechPaused",
    "SpeechStarted",
    "SpeechStopped",
    "SpeechSynthesized",
    "SpokenWord",
    "StageClaimed",
    "StageReleased",
    "ToolAttempted",
    "ToolFinished",
    "ToolGivenUp",
    "ToolRequested",
    "ToolSays",
    "ToolsDiscovered",
    "TranscriptDismissed",
    "TranscriptFinal",
    "TranscriptPartial",
    "TurnCancelled",
    "TurnCommitted",
    "TurnMeasured",
    "TurnWaitAdvised",
    "UsageRecorded",
]
