"""`python -m voxbus_cli` is the `voxbus` command."""

from voxbus_cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
