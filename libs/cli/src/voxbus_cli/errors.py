"""What a command says instead of a traceback; every text tells what to do next.

CommandFailed                exit 1
├── BadInput                 exit 2   something typed or set in the environment cannot be used
│   └── PortTaken            exit 2   another program listens where the stack would
├── StackFailed              exit 1   the stack did not become healthy
├── NotReachable             exit 1   an address does not answer
└── ApiRefused               exit 1   the API answered with an error
"""

from typing import ClassVar


class CommandFailed(Exception):
    """A command cannot do what was asked."""

    code: ClassVar[str] = "cli.failed"
    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 1


class BadInput(CommandFailed):
    """An option, a variable or a file cannot be used; the text names it."""

    code: ClassVar[str] = "cli.bad_input"
    exit_status: ClassVar[int] = 2


class PortTaken(BadInput):
    """A port of the stack is in use; the text names it and the variable that moves it."""

    code: ClassVar[str] = "cli.port_taken"
    retryable: ClassVar[bool] = True


class StackFailed(CommandFailed):
    """The stack could not be started; the text names the part and where its log is."""

    code: ClassVar[str] = "cli.stack_failed"
    retryable: ClassVar[bool] = True


class NotReachable(CommandFailed):
    """Nothing answers at an address."""

    code: ClassVar[str] = "cli.not_reachable"
    retryable: ClassVar[bool] = True


class ApiRefused(CommandFailed):
    """The API said no; the text is the API's own."""

    code: ClassVar[str] = "cli.api_refused"
