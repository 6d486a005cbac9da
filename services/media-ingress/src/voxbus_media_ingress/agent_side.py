"""From the bus to the socket: audio…agent → paced playout → wire bytes, audio…played and playback.*"""

import time
from collections.abc import Callable
from typing import Final

from voxbus_audio import FRAME_BYTES, FRAME_MS, SILENCE_FRAME, WireEncoder, WireFormat
from voxbus_contracts.events import PlaybackPaused, PlaybackStarted
from voxbus_media_ingress import metrics
from voxbus_media_ingress.alarm import Alarm, now_ms
from voxbus_media_ingress.echo_guard import EchoGuard
from voxbus_media_ingress.line import CallerLine
from voxbus_media_ingress.playout import PlaybackEvent, Playout
from voxbus_media_ingress.publisher import Publisher
from voxbus_media_ingress.reflex import enough_voice_after_ms
from voxbus_media_ingress.utterance import AgentFrame
from voxbus_proto.media.v1.media_pb2 import AudioFrame

# At most 100 ms are caught up with at once, so more are never due; the other calls get their turn whatever happens.
_MAX_TICKS: Final = 16


def agent_frame(frame: AudioFrame, epoch: int, now_unix_us: int) -> AgentFrame:
    """The core's view of a frame on the bus; short sound is filled up with silence."""
    pcm = frame.pcm
    if pcm and len(pcm) != FRAME_BYTES:
        pcm = pcm[:FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
    age_ms = max(0.0, (now_unix_us - frame.origin_unix_us) / 1_000) if frame.origin_unix_us else 0.0
    return AgentFrame(frame.utterance_seq, frame.pts_ms // FRAME_MS, pcm, frame.last, epoch, age_ms, frame.held)


class AgentSide:
    """Drives one attachment's playout. `on_event` gets every report after it was published, `on_lost` is called when
    a frame is missing that the stream may still have."""

    def __init__(
        self,
        playout: Playout,
        fmt: WireFormat,
        line: CallerLine,
        publisher: Publisher,
        on_event: Callable[[PlaybackEvent], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._playout = playout
        self._line = line
        self._publisher = publisher
        self._on_event = on_event
        self._on_lost = on_lost
        self._is_stopped = False
        self._lost: tuple[int, int] | None = None
        self._alarm = Alarm(self._pace)
        self._encoder = WireEncoder(fmt)
        # The first push builds the resampler (up to 4 ms): not in the middle of the first answer.
        self._encoder.push(SILENCE_FRAME)

    @property
    def echo(self) -> EchoGuard:
        """Told of every frame that leaves; to be told of every frame of the caller."""
        return self._playout.echo

    def start(self) -> None:
        self._pace(now_ms())

    def stop(self) -> None:
        """Falls silent for good and reports how much of what sounded was heard."""
        self._playout.break_off()
        self._report_all()
        self._publisher.send_played()
        self._is_stopped = True
        self._alarm.stop()
        metrics.UNDERRUNS.inc(self._playout.underruns)
        metrics.LOST_FRAMES.inc(self._playout.lost_frames)
        metrics.ECHOES.inc(self._playout.echoes)

    def on_frame(self, frame: AudioFrame) -> None:
        at_ms = now_ms()
        is_flowing = self._playout.is_flowing
        self._playout.on_frame(agent_frame(frame, frame.epoch, time.time_ns() // 1_000), at_ms)
        if not is_flowing:
            self._pace(at_ms)

    def on_stored_frame(self, frame: AudioFrame) -> None:
        """A frame read back from the stream; `pace` follows when all are in."""
        self._playout.on_frame(agent_frame(frame, 0, 0), now_ms())

    def bus_lost(self) -> None:
        """Nothing that is missing is given up until it is back, and a while after."""
        self._playout.holes.bus_lost()

    def mute(self, muted: bool) -> None:
        self._playout.assistant_muted = muted

    def tell(self, change: Callable[[Playout, float], None]) -> None:
        """Changes the playout now and acts on it at once."""
        at_ms = now_ms()
        change(self._playout, at_ms)
        self._pace(at_ms)

    def _pace(self, at_ms: float) -> None:
        if self._is_stopped:
            return
        playout = self._playout
        for _ in range(_MAX_TICKS):
            due_ms = playout.next_due()
            if due_ms is None or due_ms > at_ms:
                break
            frame = playout.tick(at_ms)
            if frame is not None:
                self._line.audio(self._encoder.push(frame.pcm))
                self._publisher.played(frame.pts_ms, frame.pcm, frame.utterance_seq)
        self._report_all()
        due_ms = playout.next_due()
        if due_ms is None or due_ms > at_ms + 2 * FRAME_MS:
            self._publisher.send_played()
        self._alarm.set(due_ms)
        self._notice_loss()

    def _report_all(self) -> None:
        for event in self._playout.take_events():
            self._publisher.say(event)
            if isinstance(event, PlaybackStarted) and event.v2v_ms is not None:
                metrics.V2V.observe(event.v2v_ms / 1_000)
            if isinstance(event, PlaybackPaused) and event.voiced_to_silent_ms is not None:
                late_ms = event.voiced_to_silent_ms - enough_voice_after_ms(event.min_voiced_ms)
                metrics.BARGE_IN.observe(max(0.0, late_ms) / 1_000)
            self._on_event(event)

    def _notice_loss(self) -> None:
        lost = self._playout.lost
        if lost is not None and lost != self._lost:
            self._on_lost()
        self._lost = lost
