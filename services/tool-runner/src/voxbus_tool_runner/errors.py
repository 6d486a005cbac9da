"""What can go wrong with a tool. The text of each is what the model is told; it never holds a secret or an address.

ToolError
├── ToolUnknown       not retryable: the assistant has no such tool, or nobody can run one of its type
├── ServerMissing     not retryable: neither the tool nor the assistant names a server
├── ServerRefused     not retryable: the guard does not let us reach the server, or its secret cannot be opened
├── ServerUnreachable retryable: no connection, or it broke
├── ServerTooSlow     retryable: no answer in time
├── BadArguments      not retryable: the model chose what the tool cannot do
├── FileUnreadable    not retryable: no text can be got out of a file
├── KnowledgeMissing  not retryable: files that are to be looked up in are not there, or none can be read
├── KnowledgeUnreachable  retryable: the object store does not answer
├── OutcomeUnknown    not retryable: it may have been done; doing it again could do it twice
└── BadAnswer         not retryable: wrong status, too long, or not in the format of tool results
StillRunning          retryable: the command came again while it runs; it rests until then
"""

from typing import ClassVar


class ToolError(Exception):
    """Base of all."""

    code: ClassVar[str] = "tool-error"
    retryable: ClassVar[bool] = False


class ToolUnknown(ToolError):
    code = "tool-unknown"


class ServerMissing(ToolError):
    code = "tool-server-missing"


class ServerRefused(ToolError):
    code = "tool-server-refused"


class ServerUnreachable(ToolError):
    code = "tool-server-unreachable"
    retryable = True


class ServerTooSlow(ToolError):
    code = "tool-server-too-slow"
    retryable = True


class BadAnswer(ToolError):
    code = "tool-bad-answer"


class BadArguments(ToolError):
    code = "tool-bad-arguments"


class OutcomeUnknown(ToolError):
    code = "tool-outcome-unknown"


class FileUnreadable(ToolError):
    code = "tool-file-unreadable"


class KnowledgeMissing(ToolError):
    code = "tool-knowledge-missing"


class KnowledgeUnreachable(ToolError):
    code = "tool-knowledge-unreachable"
    retryable = True


class StillRunning(Exception):
    code: ClassVar[str] = "tool-still-running"
    retryable: ClassVar[bool] = True
