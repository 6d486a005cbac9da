"""Durable consumers through FastStream. Streams and consumers are made elsewhere; nothing here makes or changes one."""

from voxbus_bus.broker import BatchHandler, EventBroker, Handler
from voxbus_bus.failures import Again
from voxbus_bus.publishing import FactPublisher
from voxbus_bus.received import Received, Unreadable

__all__ = ["Again", "BatchHandler", "EventBroker", "FactPublisher", "Handler", "Received", "Unreadable"]
