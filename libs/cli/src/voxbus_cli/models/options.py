"""What `voxbus models` can be told."""

from voxbus_cli.commands import Commands

_ABOUT = """\
Every model is a published archive with a pinned SHA-256; nothing is unpacked before the hash was checked. Another model
is taken with --url and --sha256. Models lie in VOXBUS_DATA_DIR/models."""


def add_models_parser(commands: Commands) -> None:
    """`voxbus models list | pull`"""
    models = commands.add_parser("models", help="models of vosk and sherpa-onnx", description=_ABOUT)
    verbs = models.add_subparsers(title="verbs", dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="which are known, and which are here")
    listing.set_defaults(run="voxbus_cli.models.command:list_models")
    pull = verbs.add_parser("pull", help="fetch one", description=_ABOUT)
    pull.add_argument("name", help="as in the list; with --url the name of the folder")
    pull.add_argument("--url", help="an archive that is not in the list (.zip, .tar.gz, .tar.bz2)")
    pull.add_argument("--sha256", help="its hash, 64 hexadecimal digits")
    pull.set_defaults(run="voxbus_cli.models.command:pull_model")
