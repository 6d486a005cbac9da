"""A customer's own voice server: the contract of voices, what it is sent, and what broken servers lead to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_audio import tone_power
from voxbus_contracts.assistant import Voice as VoiceSettings
from voxbus_contracts.config import CallConfig
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from voxbus_providers.voice import Voice, VoiceRequest
from voxbus_runtime.guard import Guard
from voxbus_runtime.sealing import seal, seal_config
from voxbus_testing.conformance import VoiceConformance, spoken
from voxbus_testing.token_server import TokenServer
from voxbus_testing.voice_server import VoiceServer
from voxbus_tts_worker.choosing import Choice, choices
from voxbus_tts_worker.providers import custom_voice
from voxbus_tts_worker.providers.custom_voice import CustomVoice

KEY = SecretStr(Fernet.generate_key().decode())
HERE = Guard((ip_network("127.0.0.0/8"),))


@pytest.fixture
async def server() -> AsyncIterator[VoiceServer]:
    async with VoiceServer() as server:
        yield server


@asynccontextmanager
async def started(guard: Guard = HERE) -> AsyncIterator[CustomVoice]:
    voice = CustomVoice(guard, KEY)
    await voice.start()
    try:
        yield voice
    finally:
        await voice.close()


def asking(
    url: str, text: str = "Your order ships on Friday.", speed: float = 1.0, config: dict[str, Any] | None = None,
    **settings: Any,
) -> VoiceRequest:  # fmt: skip
    server = {"url": url, **settings.pop("server", {})}
    voice = VoiceSettings.model_validate({"provider": "custom-voice", "server": server, **settings})
    called = CallConfig.model_validate({"org": "acme", "call": "call-1", "created_at_ms": 1, **(config or {})})
    return VoiceRequest(text, voice.voice_id, speed, voice, called)


class TestCustomVoice(VoiceConformance):
    @pytest.fixture
    async def voice(self) -> AsyncIterator[Voice]:
        async with started() as voice:
            yield voice

    @pytest.fixture
    async def other_voice(self) -> AsyncIterator[Voice]:
        async with started() as voice:
            yield voice

    @pytest.fixture(autouse=True)
    def _address(self, server: VoiceServer) -> None:
        self.url = server.url

    def request(self, text: str | None = None, speed: float = 1.0) -> VoiceRequest:
        return asking(self.url, self.sentence if text is None else text, speed)


async def test_the_server_is_asked_as_the_public_api_says_with_secret_headers_and_credential(
    server: VoiceServer,
) -> None:
    plan = seal_config({"type": "bearer", "token": "let-me-in"}, KEY)
    config = {
        "credentials": [{"id": "c-1", "provider": "custom-credential", "authentication": plan}],
        "variables": {"customer": {"number": "+14155552671"}},
        "assistant": {"name": "Ada", "server": {"url": "https://a.example", "secret": seal("hush", KEY)}},
    }
    own = {"secret": seal("s3cret", KEY), "headers": {"X-Shop": seal("7", KEY)}, "credentialId": "c-1"}
    async with started() as voice:
        await spoken(voice, asking(server.url, config=config, server=own))
    (message,) = server.messages
    assert message["type"] == "voice-request"
    assert message["text"] == "Your order ships on Friday."
    assert message["sampleRate"] == 24_000
    assert message["call"]["id"] == "call-1"
    assert message["customer"] == {"number": "+14155552671"}
    assert message["assistant"]["name"] == "Ada"
    assert "secret" not in message["assistant"]["server"]
    (headers,) = server.headers
    assert headers["x-vapi-secret"] == "s3cret"
    assert headers["x-shop"] == "7"
    assert headers["authorization"] == "Bearer let-me-in"
    assert headers["content-type"] == "application/json"


async def test_a_token_that_is_refused_is_replaced_once_and_the_sentence_asked_for_again(server: VoiceServer) -> None:
    async with TokenServer() as issuer, started() as voice:
        plan = seal_config(issuer.plan, KEY)
        config = {"credentials": [{"id": "c-1", "provider": "custom-credential", "authentication": plan}]}
        asked = asking(server.url, config=config, server={"credentialId": "c-1"})
        await spoken(voice, asked)
        server.next_is.append("401")
        pcm, _ = await spoken(voice, asked)
        assert pcm
        server.always = "401"
        with pytest.raises(ProviderRejected, match="answered 401"):
            await spoken(voice, asked)
    shown = [headers["authorization"] for headers in server.headers]
    assert shown == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2", "Bearer t-2"]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100])
async def test_every_rate_is_played_at_its_length_and_pitch(server: VoiceServer, rate_hz: int) -> None:
    async with started() as voice:
        pcm, _ = await spoken(voice, asking(server.url, "One two three four", sampleRate=rate_hz))
    assert server.messages[0]["sampleRate"] == rate_hz
    assert abs(len(pcm) / 32 - 1_200) < 3
    assert tone_power(pcm, 440) > 20 * tone_power(pcm, 700)


async def test_sound_is_given_on_while_the_server_still_speaks(server: VoiceServer) -> None:
    server.always = "drips"
    async with started() as voice, asyncio.timeout(5):
        chunks = cast(AsyncGenerator[Any, None], voice.synthesize(asking(server.url)))
        assert (await anext(chunks)).pcm
        await chunks.aclose()
        await server.has_aborted.wait()


@pytest.mark.parametrize(
    ("behaviour", "kind", "detail"),
    [
        ("401", ProviderRejected, "answered 401"),
        ("500", ProviderUnavailable, "answered 500"),
        ("json", ProviderRejected, "with text and not with sound"),
        ("empty", ProviderUnavailable, "without sound"),
        ("cut", ProviderUnavailable, "could not be reached"),
        ("endless", ProviderRejected, "more than 1 s of sound"),
    ],
)
async def test_a_broken_server_is_told_as_it_is_and_never_quoted(
    server: VoiceServer, monkeypatch: pytest.MonkeyPatch, behaviour: Any, kind: type[ProviderError], detail: str
) -> None:
    monkeypatch.setattr(custom_voice, "LONGEST_S", 1)
    server.always = behaviour
    text = "One two." if behaviour == "endless" else "One."
    async with started() as voice:
        with pytest.raises(kind, match=detail) as told:
            await spoken(voice, asking(server.url, text))
    assert "private sentence" not in str(told.value)
    assert "127.0.0.1" not in str(told.value)


async def test_a_server_inside_a_gone_credential_and_nobody_there_are_told_apart(server: VoiceServer) -> None:
    async with started(Guard()) as voice:
        with pytest.raises(ProviderRejected, match="must not be reached"):
            await spoken(voice, asking(server.url))
    async with started() as voice:
        with pytest.raises(ProviderRejected, match="credential is not there"):
            await spoken(voice, asking(server.url, server={"credentialId": "gone"}))
        with pytest.raises(ProviderRejected, match=r"voice\.server\.url is missing"):
            await spoken(voice, VoiceRequest("Hello.", ""))
        with pytest.raises(ProviderUnavailable, match="could not be reached"):
            await spoken(voice, asking("http://127.0.0.1:9/"))
    assert server.messages == []


def test_stand_ins_are_tried_in_their_order_and_the_platforms_voices_after_them() -> None:
    first, second = {"url": "https://a.example"}, {"url": "https://b.example", "timeoutSeconds": 2}
    settings = VoiceSettings.model_validate(
        {
            "provider": "custom-voice",
            "server": first,
            "fallbackPlan": {
                "voices": [
                    {"provider": "custom-voice", "server": second},
                    {"provider": "vapi", "voiceId": "flite-rms"},
                ]
            },
        }
    )
    found = choices(settings, ("espeak-ng", "flite"))
    assert [(each.engine, each.voice_id) for each in found] == [
        ("custom-voice", "Elliot"),
        ("custom-voice", "Elliot"),
        ("flite", "rms"),
        ("flite", ""),
        ("espeak-ng", ""),
    ]
    assert found[0] != found[1], "two servers are two voices"
    assert found[0].patience_s is None
    assert found[1].patience_s == 2
    assert found[4] == Choice("espeak-ng")
