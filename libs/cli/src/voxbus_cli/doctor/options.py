"""What `voxbus doctor` can be told."""

from voxbus_cli.commands import Commands


def add_doctor_parser(commands: Commands) -> None:
    """`voxbus doctor`"""
    parser = commands.add_parser(
        "doctor",
        help="check whether this machine can run the stack",
        description="Checks Python, nats-server, speech engines, ports and the data folder. Exit 1 if `up` would fail.",
    )
    parser.add_argument("--json", action="store_true", help="for a program")
    parser.set_defaults(run="voxbus_cli.doctor.command:doctor")
