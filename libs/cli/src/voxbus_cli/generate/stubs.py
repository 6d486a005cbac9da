"""The protobuf and gRPC stubs of libs/proto, made by grpc_tools from proto/."""

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from voxbus_cli.errors import CommandFailed

PROTO_ROOT: Final = Path("proto")
STUBS_ROOT: Final = Path("libs/proto/src")


def protobuf_stubs(root: Path) -> dict[Path, str]:
    """Path inside the checkout → text, for every .proto of `root`. Raises CommandFailed without grpc_tools."""
    try:
        from grpc_tools import protoc  # noqa: PLC0415 (a tool of development; the other commands run without it)
    except ImportError:
        raise CommandFailed("grpc_tools is not installed: run `make gen`, or pip install grpcio-tools") from None
    sources = sorted((root / PROTO_ROOT).rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            out = [f"--python_out={folder}", f"--pyi_out={folder}"]
            if _has_service(source):
                out.append(f"--grpc_python_out={folder}")
            include = [f"-I{root / PROTO_ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
            if protoc.main(["protoc", *include, *out, str(source)]) != 0:
                raise CommandFailed(f"{source} does not compile; see above")
        return {
            STUBS_ROOT / path.relative_to(folder): path.read_text()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }


def _has_service(source: Path) -> bool:
    """grpc_python_out writes an empty file for a .proto without one."""
    return any(line.startswith("service ") for line in source.read_text().splitlines())
