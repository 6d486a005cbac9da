"""Nothing goes out but through the guarded client: no service makes a connection of its own."""

import ast
from pathlib import Path
from typing import Any

VERBS = ("get", "post", "put", "patch", "delete", "head", "request", "stream")
FORBIDDEN_CALLS = {
    "httpx": {
        "AsyncClient",
        "Client",
        "AsyncHTTPTransport",
        "HTTPTransport",
        *["get", "post", "put", "patch", "delete", "head", "request", "stream"],
    },
    "httpx2": {"AsyncClient", "Client", "AsyncHTTPTransport", "HTTPTransport", "get", "post", "request", "stream"},
    "asyncio": {"open_connection", "create_connection", "open_unix_connection"},
    "socket": {"create_connection"},
    "loop": {"create_connection"},
}
FORBIDDEN_IMPORTS = (
    "aiohttp.",
    "requests.",
    "urllib3.",
    "httpcore.",
    "http.client.",
    "urllib.request.",
    "websockets.client.",
    "websockets.asyncio.client.",
    "websockets.sync.",
    "ftplib.",
    "telnetlib.",
    "smtplib.",
    "socks.",
)
ALLOWED = {
    "libs/runtime/src/voxbus_runtime/outbound.py",
    "libs/runtime/src/voxbus_runtime/outbound_pool.py",
    "libs/runtime/src/voxbus_runtime/outbound_stream.py",
    # a client of the MCP SDK's kind, whose every request goes through the guarded one
    "services/tool-runner/src/voxbus_tool_runner/mcp_client/bridge.py",
}


def bound_names(tree: ast.Module) -> dict[str, str]:
    """Each name in a file → the dotted thing it was imported as."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.split(".")[0]
                names[each.asname or top] = each.name if each.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return ""


def ways_out(node: ast.AST, names: dict[str, str]) -> list[str]:
    """What a node does that goes round the guard."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        own = [each.name for each in node.names]
        module = getattr(node, "module", None)
        imported = [module, *(f"{module}.{name}" for name in own)] if module else own
        return [f"imports {name}" for name in imported if f"{name}.".startswith(FORBIDDEN_IMPORTS)]
    if not isinstance(node, ast.Call):
        return []
    called = dotted(node.func, names)
    module, _, name = called.rpartition(".")
    found = [f"calls {called}"] if name in FORBIDDEN_CALLS.get(module, ()) else []
    given = [each.value for each in node.keywords if each.arg == "follow_redirects"]
    return [*found, *("follows redirects" for value in given if getattr(value, "value", None) is not False)]


def offences(tree: ast.Module) -> list[str]:
    """`line: what` of every way out of a file that is not the guarded one."""
    names = bound_names(tree)
    return [f"{getattr(node, 'lineno', 0)}: {way}" for node in ast.walk(tree) for way in ways_out(node, names)]


def test_no_service_makes_a_client_of_its_own(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    members = [*checkout.services, *(lib for lib in checkout.libs if lib.name in ("runtime", "bus", "providers"))]
    found = [
        f"{checkout.short(path)}:{offence}"
        for member in members
        for path in member.sources()
        if checkout.short(path) not in ALLOWED
        for offence in offences(trees[path])
    ]
    assert not found, "\n".join(found)


def test_every_way_round_is_seen() -> None:
    ways = [
        "import httpx\nhttpx.AsyncClient()",
        "import httpx as h\nh.AsyncClient()",
        "from httpx import AsyncClient as C\nC()",
        "import httpx\nhttpx.get('x')",
        "import httpx2\nhttpx2.AsyncClient()",
        "import aiohttp",
        "from urllib.request import urlopen",
        "import urllib.request",
        "import http.client",
        "from websockets.asyncio.client import connect",
        "import asyncio\nasyncio.open_connection('x', 1)",
        "import socket\nsocket.create_connection(('x', 1))",
        "client.get('x', follow_redirects=True)",
    ]
    for way in ways:
        assert offences(ast.parse(way)), way
    assert not offences(
        ast.parse("import httpx\nfrom urllib.parse import quote\nclient.send(r, follow_redirects=False)")
    )
