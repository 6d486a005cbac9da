"""Instruments of the control API."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("voxbus_api_requests", "Requests, by route pattern and status.", ["method", "route", "status"])
REQUEST_S = Histogram("voxbus_api_request_seconds", "Time to the answer, by route pattern.", ["method", "route"])
CALLS_CREATED = Counter("voxbus_api_calls_created", "Calls asked for.")
CALLS_WAITING = Counter("voxbus_api_calls_waiting", "Calls that had to wait for a place of their organisation.")
CALLS_RECEIVED = Counter("voxbus_api_calls_received", "Calls that came in, by why no assistant took them.", ["reason"])
CALLS_SCHEDULED_STARTED = Counter("voxbus_api_scheduled_calls_started", "Scheduled calls put on the bus in time.")
CALLS_REAPED = Counter("voxbus_api_calls_reaped", "Calls ended because nobody connected or claimed.", ["reason"])
CHATS = Counter("voxbus_api_chats", "Chats that somebody waited for, by their error or `answered`.", ["outcome"])
EVENTS_STORED = Counter("voxbus_api_events_stored", "Events of calls written for the records.")
EVENT_LISTENERS = Gauge("voxbus_api_event_listeners", "Clients that follow events.")
SOUND_LISTENERS = Gauge("voxbus_api_sound_listeners", "Clients that listen to a call.")
MESSAGES_MADE = Counter("voxbus_api_server_messages", "Messages made for customers' servers, by type.", ["message"])
MESSAGES_TOO_LONG = Counter("voxbus_api_server_messages_too_long", "Messages that the bus does not take, left out.")
REPORTS_INCOMPLETE = Counter("voxbus_api_reports_incomplete", "End-of-call reports that waited in vain for a record.")
