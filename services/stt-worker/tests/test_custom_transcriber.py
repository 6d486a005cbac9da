"""A customer's own recognizer: the contract of recognizers, what it is sent, and what broken servers lead to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_audio import speechlike
from voxbus_contracts import Event
from voxbus_contracts.assistant import Transcriber
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import FaultRaised, SpeechStarted, SpeechStopped, TranscriptFinal
from voxbus_providers.errors import ProviderRejected, ProviderUnavailable
from voxbus_providers.recognizer import HeardFrame, Recognizer, RecognizerRequest
from voxbus_runtime.guard import Guard
from voxbus_runtime.sealing import seal, seal_config
from voxbus_stt_worker.engines import Engines
from voxbus_stt_worker.providers.custom_transcriber import CustomTranscriber
from voxbus_stt_worker.recognition import Patience, Recognition
from voxbus_stt_worker.segments import Segments
from voxbus_testing.conformance import RecognizerConformance, frames_of, hearings_upto_final
from voxbus_testing.token_server import TokenServer
from voxbus_testing.transcriber_server import TranscriberServer

KEY = SecretStr(Fernet.generate_key().decode())
HERE = Guard((ip_network("127.0.0.0/8"),))
SPEECH = speechlike(1_200)
WORDS = {word: SPEECH[at * 9_600 : (at + 1) * 9_600] for at, word in enumerate(("where", "is", "my", "order"))}


@pytest.fixture
async def server() -> AsyncIterator[TranscriberServer]:
    async with TranscriberServer(WORDS) as server:
        yield server


@asynccontextmanager
async def started(guard: Guard = HERE) -> AsyncIterator[CustomTranscriber]:
    recognizer = CustomTranscriber(guard, KEY)
    await recognizer.start()
    try:
        yield recognizer
    finally:
        await recognizer.close()


def at(url: str, config: dict[str, Any] | None = None, **server: Any) -> RecognizerRequest:
    settings = Transcriber.model_validate({"provider": "custom-transcriber", "server": {"url": url, **server}})
    called = CallConfig.model_validate({"org": "acme", "call": "call-1", "created_at_ms": 1, **(config or {})})
    return RecognizerRequest(settings, config=called)


class TestCustomTranscriber(RecognizerConformance):
    @pytest.fixture
    async def recognizer(self) -> AsyncIterator[Recognizer]:
        async with started() as recognizer:
            yield recognizer

    @pytest.fixture
    def transcriber(self, server: TranscriberServer) -> Transcriber:
        return at(server.url).transcriber

    @pytest.fixture
    def speech(self) -> list[HeardFrame]:
        return frames_of(SPEECH)


async def test_it_begins_with_a_start_message_and_is_let_in_by_secret_headers_and_credential(
    server: TranscriberServer,
) -> None:
    plan = seal_config({"type": "bearer", "token": "let-me-in"}, KEY)
    lent = {"credentials": [{"id": "c-1", "provider": "custom-credential", "authentication": plan}]}
    own = {"secret": seal("s3cret", KEY), "headers": {"X-Shop": seal("7", KEY)}, "credentialId": "c-1"}
    async with started() as recognizer:
        session = await recognizer.open(at(server.url, lent, **own))
        for frame in frames_of(SPEECH):
            session.push(frame)
        session.flush()
        assert (await hearings_upto_final(session))[-1].text == "where is my order"
        await session.close()
    start = {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": 16_000, "channels": 2}
    assert server.starts == [start]
    headers = server.headers[0]
    assert (headers["x-vapi-secret"], headers["x-shop"]) == ("s3cret", "7")
    assert headers["authorization"] == "Bearer let-me-in"


async def test_a_token_that_is_refused_is_replaced_once_and_the_server_asked_again(server: TranscriberServer) -> None:
    async with TokenServer() as issuer, started() as recognizer:
        plan = seal_config(issuer.plan, KEY)
        lent = {"credentials": [{"id": "c-1", "provider": "custom-credential", "authentication": plan}]}
        to = at(server.url, lent, credentialId="c-1")
        await (await recognizer.open(to)).close()
        server.next_is.append("refuses")
        await (await recognizer.open(to)).close()
        server.always = "refuses"
        with pytest.raises(ProviderRejected, match="answered 401"):
            await recognizer.open(to)
    assert len(issuer.asked) == 2, "not again within a moment"


async def test_the_caller_is_on_the_left_and_what_was_played_on_the_right(server: TranscriberServer) -> None:
    played = speechlike(1_200, seed=5)
    async with started() as recognizer:
        session = await recognizer.open(at(server.url))
        for number, frame in enumerate(frames_of(SPEECH)):
            session.overhear(played[number * 640 : (number + 1) * 640])
            session.listen(frame)
            session.push(frame)
        session.flush()
        await hearings_upto_final(session)
        await session.close()
    (line,) = server.lines
    assert bytes(line.caller) == SPEECH
    assert bytes(line.assistant) == played


@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        ("drops", "the connection broke|closed the connection"),
        ("reports", "reported an error"),
        ("garbage", "no JSON"),
        ("flood", "the connection broke"),
    ],
)
async def test_a_server_that_breaks_ends_the_session_and_is_never_quoted(
    server: TranscriberServer, behaviour: Any, detail: str
) -> None:
    server.always = behaviour
    async with started() as recognizer:
        session = await recognizer.open(at(server.url))
        for frame in frames_of(SPEECH):
            session.push(frame)
        with pytest.raises(ProviderUnavailable, match=detail) as told:
            await hearings_upto_final(session)
        await session.close()
    assert "private sentence" not in str(told.value)


async def test_refused_and_unreachable_servers_are_told_apart(server: TranscriberServer) -> None:
    async with started() as recognizer:
        server.next_is.extend(("refuses", "fails"))
        with pytest.raises(ProviderRejected, match="answered 401"):
            await recognizer.open(at(server.url))
        with pytest.raises(ProviderUnavailable, match="answered 500"):
            await recognizer.open(at(server.url))
        with pytest.raises(ProviderRejected, match="credential is not there"):
            await recognizer.open(at(server.url, credentialId="gone"))
        with pytest.raises(ProviderRejected, match=r"transcriber\.server\.url is missing"):
            await recognizer.open(RecognizerRequest(Transcriber(provider="custom-transcriber")))
        with pytest.raises(ProviderUnavailable, match="connection failed"):
            await recognizer.open(at("ws://127.0.0.1:9/"))
    async with started(Guard()) as recognizer:
        with pytest.raises(ProviderRejected, match="must not be reached"):
            await recognizer.open(at(server.url))


class Hearing:
    """A recognition with the engines of a worker, driven by a test."""

    def __init__(self, request: RecognizerRequest, patience: Patience | None = None) -> None:
        self.said: list[Event] = []
        self._news = asyncio.Event()
        arguments = {"custom-transcriber": {"guard": HERE, "cluster_key": KEY}}
        self.engines = Engines("position", arguments)
        self.recognition = Recognition(
            Segments(), request, self.engines, patience or Patience(), self._say, lambda _hole: None
        )
        self._running = asyncio.ensure_future(self.recognition.run())

    def _say(self, event: Event) -> None:
        self.said.append(event)
        self._news.set()

    def hear(self, pcm: bytes, from_ms: int) -> int:
        for frame in frames_of(pcm, from_ms):
            self.recognition.on_frame(frame)
        return from_ms + len(pcm) // 32

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def all(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]

    async def speak(self) -> TranscriptFinal:
        """Quiet, the words, quiet; all as one stretch."""
        begins = self.hear(bytes(32_000), 0)
        self.recognition.on_speech_started(SpeechStarted(speech_seq=1, pts_ms=begins, detected_pts_ms=begins + 80))
        ends = self.hear(SPEECH, begins)
        upto = self.hear(bytes(19_200), ends)
        stopped = SpeechStopped(speech_seq=1, pts_ms=ends, detected_pts_ms=upto, voiced_ms=1_200)
        self.recognition.on_speech_stopped(stopped)
        await self.until(lambda: self.all(TranscriptFinal))
        return self.all(TranscriptFinal)[0]

    async def close(self) -> None:
        self.recognition.stop()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.engines.close()


@asynccontextmanager
async def hearing(request: RecognizerRequest, patience: Patience | None = None) -> AsyncIterator[Hearing]:
    made = Hearing(request, patience)
    try:
        yield made
    finally:
        await made.close()


async def test_a_server_that_hangs_up_in_mid_speech_is_called_again_and_loses_no_word(
    server: TranscriberServer,
) -> None:
    server.next_is.append("drops")
    async with hearing(at(server.url)) as call:
        final = await call.speak()
    assert final.text == "where is my order"
    assert final.provider == "custom-transcriber"
    assert len(server.lines) == 2
    assert [fault.code for fault in call.all(FaultRaised)] == ["provider-unavailable"]


async def test_the_whole_call_is_heard_not_only_stretches_of_speech(server: TranscriberServer) -> None:
    async with hearing(at(server.url)) as call, asyncio.timeout(10):
        while not server.starts:
            await asyncio.sleep(0.01)
        await call.speak()
    (line,) = server.lines
    assert len(line.caller) >= 32_000 + len(SPEECH), "the quiet before the words too"


@pytest.mark.parametrize("behaviour", ["refuses", "fails", "garbage", "silent"])
async def test_a_stand_in_hears_what_the_first_one_did_not(server: TranscriberServer, behaviour: Any) -> None:
    async with TranscriberServer(WORDS) as other:
        server.always = behaviour
        settings = {
            "provider": "custom-transcriber",
            "server": {"url": server.url},
            "fallbackPlan": {"transcribers": [{"provider": "custom-transcriber", "server": {"url": other.url}}]},
        }
        request = RecognizerRequest(Transcriber.model_validate(settings), config=at(server.url).config)
        async with hearing(request) as call:
            final = await call.speak()
    # a server that hears and never answers cannot be told from noise
    assert final.text == ("" if behaviour == "silent" else "where is my order")


async def test_what_is_less_certain_than_the_threshold_is_left_out(server: TranscriberServer) -> None:
    settings = {"provider": "custom-transcriber", "server": {"url": server.url}, "confidenceThreshold": 0.9}
    request = RecognizerRequest(Transcriber.model_validate(settings), config=at(server.url).config)
    async with hearing(request) as call:
        assert (await call.speak()).text == "where is my order", "nothing was said of how certain it is"
    server.confidence = 0.8
    async with hearing(request) as call:
        assert (await call.speak()).text == ""


@pytest.mark.parametrize(
    ("told", "known"),
    [("es", "es"), ("PT-br", "pt-BR"), (None, None), ("multi", None), ("und", None), ("Spanish", None), (7, None)],
)
async def test_the_language_it_heard_goes_along_and_what_is_no_language_is_left_out(
    server: TranscriberServer, told: object, known: str | None
) -> None:
    server.language = told
    async with hearing(at(server.url)) as call:
        final = await call.speak()
    assert (final.text, final.language) == ("where is my order", known)
