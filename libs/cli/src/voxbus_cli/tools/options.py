"""What `voxbus tools` can be told."""

from voxbus_cli.commands import Commands

_DESCRIPTION = """Lists, shows and creates ready-made tools. Store the credential that `show` describes first (POST
/credential); then name what was created in an assistant's model.toolIds."""
_RUN = "voxbus_cli.tools.command"


def add_tools_parser(commands: Commands) -> None:
    """`voxbus tools`"""
    parser = commands.add_parser("tools", help="ready-made tools", description=_DESCRIPTION)
    parser.add_argument("--url", metavar="URL", help="address of the API (default: this machine's stack)")
    parser.add_argument("--key", metavar="KEY", help="a private key (default: this machine's stack's)")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="the templates there are")
    listed.set_defaults(run=f"{_RUN}:list_templates")
    shown = actions.add_parser("show", help="one: its credential, its variables and its tools, as JSON")
    shown.add_argument("id", metavar="TEMPLATE", help="as `voxbus tools list` shows it")
    shown.set_defaults(run=f"{_RUN}:show_template")
    create = actions.add_parser("create", help="store the tools of one")
    create.add_argument("id", metavar="TEMPLATE", help="as `voxbus tools list` shows it")
    create.add_argument("--credential", metavar="ID", required=True, help="id of the stored credential")
    create.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a variable; may be repeated")
    create.set_defaults(run=f"{_RUN}:create_tools")
