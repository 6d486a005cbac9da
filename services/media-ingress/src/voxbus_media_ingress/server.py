"""The WebSocket server: lets transports in, serves each, and stays with a call whose transport is gone."""

import asyncio
import contextlib
import json
import os
from http import HTTPStatus
from typing import Final
from weakref import WeakKeyDictionary

import nats.errors
from nats.js.errors import Error as JetStreamError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig
from voxbus_contracts.subjects import WORKERS_BACK
from voxbus_media_ingress import metrics
from voxbus_media_ingress.attachment import Attachment
from voxbus_media_ingress.connection import MediaConnection
from voxbus_media_ingress.ending import DRAINED, UNAVAILABLE
from voxbus_media_ingress.errors import AttachRefused, SettingsClash
from voxbus_media_ingress.handlers import INTERESTS, on_message, on_text
from voxbus_media_ingress.inbound import error_text
from voxbus_media_ingress.moving import move
from voxbus_media_ingress.opening import read_opening
from voxbus_media_ingress.settings import Settings
from voxbus_media_ingress.ticket import admit, read_ticket
from voxbus_media_ingress.transport import Transport
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.claims import disown, take_call
from voxbus_runtime.errors import ConfigMissing, RuntimeFault
from voxbus_runtime.said_frames import SayingAgain
from voxbus_runtime.service import Runtime
from voxbus_runtime.tasks import end
from voxbus_runtime.telemetry import PastSpan, record

STAGE: Final = "media-ingress"
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
_WRITE_LIMIT_BYTES: Final = 32 * 1024
_CLOSE_S: Final = 2.0
_DETACH_S: Final = 5.0
_BUS_TROUBLE: Final = (nats.errors.Error, JetStreamError, RuntimeFault, TimeoutError, OSError)


class MediaServer:
    """The component of this service; `slots` bounds the transports at a time, those that wait included."""

    def __init__(self, runtime: Runtime[Settings]) -> None:
        self.slots = runtime.settings.media_slots
        self._runtime = runtime
        self._settings = runtime.settings
        self._server: Server | None = None
        self._admitted: WeakKeyDictionary[ServerConnection, CallConfig] = WeakKeyDictionary()
        self._attachments: dict[str, Attachment] = {}
        self._again = SayingAgain(lambda: [attachment.publisher.said for attachment in self._attachments.values()])
        self._none_left = asyncio.Event()
        self._left: set[asyncio.Task[None]] = set()

    # --- component ---------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Where it listens; differs from the setting when that is 0."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self) -> None:
        """Raises SettingsClash when the port is taken."""
        await self._runtime.peers.listen(STAGE)
        await self._runtime.bus.nc.subscribe_live(WORKERS_BACK, self._again.on_back)
        host, port = self._settings.media_host, self._settings.media_port
        try:
            self._server = await serve(
                self._serve,
                host,
                port,
                process_request=self._process_request,
                create_connection=MediaConnection,
                reuse_port=self._settings.share_ports or None,
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                write_limit=_WRITE_LIMIT_BYTES,
                close_timeout=_CLOSE_S,
                server_header=None,
            )
        except OSError as problem:
            what = os.strerror(problem.errno) if problem.errno else str(problem)
            raise SettingsClash(f"cannot listen on {host}:{port} (VOXBUS_MEDIA_PORT): {what}") from problem
        self._runtime.log.info("listening", host=host, port=self.port)

    async def drain(self) -> int:
        """Takes no more transports and moves those that can come back; the rest may go on for media_drain_ms."""
        if self._server is not None:
            self._server.close(close_connections=False)
        released = len(self._attachments)
        await move(list(self._attachments.values()))
        await self._wait_for_none(_DETACH_S if self._all_can_come_back() else self._settings.media_drain_ms / 1_000)
        for attachment in list(self._attachments.values()):
            attachment.end(DRAINED)
        await self._wait_for_none(_DETACH_S)
        return released

    def _all_can_come_back(self) -> bool:
        return all(attachment.can_come_back for attachment in self._attachments.values())

    async def close(self) -> None:
        self._again.stop()
        await end(*self._left)
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), _CLOSE_S)

    def calls(self) -> list[str]:
        return list(self._attachments)

    def attached(self, ref: CallRef) -> Attachment | None:
        """The transport of a call if it is here."""
        return self._attachments.get(str(ref))

    # --- letting in --------------------------------------------------------------------------------------------

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/health":
            return _json(connection, HTTPStatus.OK, {"status": "ok", "bus": self._runtime.bus.connected})
        try:
            self._admitted[connection] = await self._admit(request.path)
        except AttachRefused as refused:
            metrics.REFUSED.labels(refused.code).inc()
            return _respond(connection, HTTPStatus(refused.status), refused.body())
        return None

    async def _admit(self, path: str) -> CallConfig:
        ticket = read_ticket(path)
        if len(self._attachments) >= self.slots and str(ticket.ref) not in self._attachments:
            raise AttachRefused(503, "full", "this server carries as many calls as it may: try again later")
        bus = self._runtime.bus
        try:
            config = await bus.read_config(ticket.ref)
            has_ended = config is not None and await bus.has_event(ticket.ref, "call", "ended")
        except ConfigMissing as broken:
            raise AttachRefused(500, broken.code, str(broken)) from broken
        except _BUS_TROUBLE as trouble:
            raise AttachRefused(503, "bus-unavailable", "the bus does not answer: try again in a moment") from trouble
        return admit(ticket, config, has_ended)

    # --- serving -----------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, MediaConnection)
        config = self._admitted[socket]
        transport = Transport(socket, config.transport, self._settings.media_stuck_ms)
        transport.start()
        arrived_unix_ms = unix_ms()
        try:
            attachment = await self._attach(config, transport, arrived_unix_ms)
        except _BUS_TROUBLE as trouble:
            self._runtime.log.warning("a transport cannot attach now", problem=type(trouble).__name__)
            metrics.REFUSED.labels("bus-unavailable").inc()
            transport.line.text(error_text("bus-unavailable", "the bus does not answer: connect again in a moment"))
            await transport.close(UNAVAILABLE)
            return
        try:
            await self._carry(attachment)
        finally:
            attributes = {"voxbus.call": config.call, "voxbus.transport": config.transport.provider}
            span = PastSpan(metrics.ATTACHMENT_SPAN, arrived_unix_ms, unix_ms(), attributes)
            record(span, config.traceparent)

    async def _attach(self, config: CallConfig, transport: Transport, arrived_unix_ms: float) -> Attachment:
        """The call becomes this transport's, whoever had it."""
        call = await take_call(self._runtime, config, STAGE, INTERESTS)
        try:
            opening = await read_opening(call, arrived_unix_ms)
        except BaseException:
            await call.close()
            raise
        return Attachment(call, transport, opening, self._settings)

    async def _carry(self, attachment: Attachment) -> None:
        call = attachment.call
        key = str(call.ref)
        call.log.info("attached", epoch=call.epoch)
        self._attachments[key] = attachment
        metrics.ATTACHED.inc()
        try:
            ending = await attachment.run(on_message, on_text)
        finally:
            metrics.ATTACHED.dec()
            if self._attachments.get(key) is attachment:
                del self._attachments[key]
            if not self._attachments:
                self._none_left.set()
            self._stay(attachment)
        metrics.DETACHED.labels(str(ending.code)).inc()
        call.log.info("detached", epoch=call.epoch, code=ending.code, clean=ending.clean, reason=ending.reason)

    # --- afterwards --------------------------------------------------------------------------------------------

    def _stay(self, attachment: Attachment) -> None:
        """Without a transport the call goes on; its key in OWNERS is removed when it ends."""
        task = asyncio.get_running_loop().create_task(self._see_to_the_end(attachment))
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    async def _see_to_the_end(self, attachment: Attachment) -> None:
        call = attachment.call
        try:
            if await attachment.wait_for_the_end():
                await disown(self._runtime.bus, call, "ended")
        finally:
            with contextlib.suppress(nats.errors.Error):
                await call.close()

    async def _wait_for_none(self, timeout_s: float) -> None:
        if self._attachments and timeout_s:
            self._none_left.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), timeout_s)


def _respond(connection: ServerConnection, status: HTTPStatus, body: str) -> Response:
    response = connection.respond(status, body)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def _json(connection: ServerConnection, status: HTTPStatus, body: dict[str, object]) -> Response:
    return _respond(connection, status, json.dumps(body) + "\n")
