"""Instruments of the recorder."""

from prometheus_client import Counter, Gauge, Histogram

SEGMENTS_STORED = Counter("voxbus_recorder_segments_stored", "Segments of recordings in the object store.")
SEGMENTS_SPOOLED = Counter("voxbus_recorder_segments_spooled", "Segments that waited on this machine's disk.")
SEGMENTS_LOST = Counter("voxbus_recorder_segments_lost", "Segments nothing had room for.")
SEGMENTS_BROKEN = Counter("voxbus_recorder_segments_broken", "Stored segments that are not what was written.")
SEGMENTS_WAITING = Gauge("voxbus_recorder_segments_waiting", "Segments that are not in the object store yet.")
BROKEN_FRAMES = Counter("voxbus_recorder_broken_frames", "Frames that are not 20 ms long.")
RECORDINGS = Counter("voxbus_recorder_recordings", "Recordings finished.", ["outcome"])
ARCHIVES = Counter("voxbus_recorder_archives", "Archives written.")
OBJECTS_EXPIRED = Counter("voxbus_recorder_objects_expired", "Objects deleted because their time was over.")
ASSEMBLY_SECONDS = Histogram(
    "voxbus_recorder_assembly_seconds", "From a call's end being known to its recording being stored, s."
)
