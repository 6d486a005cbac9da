"""A customer's server for the demo assistant: answers tool calls about a handful of orders.

`python -m voxbus_tool_runner.demo_server`; settings VOXBUS_DEMO_HOST, VOXBUS_DEMO_PORT. No part of the bus.
"""

import json
import signal
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request

from voxbus_tool_runner.demo_orders import ORDERS, status_of
from voxbus_tool_runner.settings import DemoSettings


def demo_app() -> FastAPI:
    app = FastAPI(title="Voxbus demo shop")

    @app.get("/health")
    async def health() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"status": "ok"}

    @app.get("/orders")
    async def orders() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return ORDERS

    @app.post("/tools/order-status")
    async def order_status(request: Request) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        try:
            return answer_to(await request.json())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise HTTPException(400, "the body is no tool-calls message") from None

    return app


def answer_to(body: Any) -> dict[str, Any]:
    """One result per tool call of a `tool-calls` message; raises KeyError, TypeError … when it is none."""
    calls = body["message"]["toolCallList"]
    return {"results": [{"toolCallId": call["id"], "result": status_of(_order(call))} for call in calls]}


def _order(call: dict[str, Any]) -> str:
    arguments = call["function"]["arguments"]
    parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
    return str(parsed.get("order", ""))


def main() -> None:
    settings = DemoSettings()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)  # uvicorn hands the signal on when it has wound up
    sys.stderr.write(f"demo shop on http://{settings.host}:{settings.port}\n")
    uvicorn.run(demo_app(), host=settings.host, port=settings.port, log_level="warning")


def _exit(_number: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
