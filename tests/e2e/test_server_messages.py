"""What a customer's server gets of a real call: everything it asked for, in order, although it fails and is killed."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import signal
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from assistants import hearing, scripted, speech_at
from bus_watch import BusWatch
from stack import Stack, free_ports, running

from voxbus_runtime.tasks import end
from voxbus_testing.caller import Caller, calling
from voxbus_testing.transcriber_server import TranscriberServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`voxbus up`, whose guard lets the test's own server be reached."""
    folder = tmp_path_factory.mktemp("hooks") / "data"
    with running(folder, VOXBUS_GUARD_ALLOW="127.0.0.0/8") as started:
        yield started


@dataclass
class Shop:
    """The customer's server. `status` is what it answers; 0 = it hangs. `answers`: with what, by type of message."""

    port: int
    status: int = 200
    answers: Json = field(default_factory=dict[str, Any])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list[Any])
    tasks: set[asyncio.Task[Any]] = field(default_factory=set[Any])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def messages(self, call: str, kind: str = "") -> list[Json]:
        found = [json.loads(body)["message"] for _, body in self.got]
        return [each for each in found if each["call"]["id"] == call and kind in ("", each["type"])]

    async def until(self, call: str, kind: str, count: int = 1, timeout_s: float = 30) -> list[Json]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while len(self.messages(call, kind)) < count:
                    await asyncio.sleep(0.02)
        found = self.messages(call, kind)
        told = [(each["type"], each.get("status")) for each in self.messages(call)]
        assert len(found) >= count, f"{count} × {kind} not told within {timeout_s} s, of {len(self.got)} in all: {told}"
        return found

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                if not self.status:
                    await asyncio.sleep(60)
                self.got += [(headers, body)] if self.status == 200 else []
                answer = json.dumps(self.answers.get(json.loads(body)["message"]["type"], {})).encode()
                writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def shop(**fields: Any) -> AsyncGenerator[Shop]:
    made = Shop(free_ports(1), **fields)
    server = await asyncio.start_server(made.on_connection, "127.0.0.1", made.port)
    try:
        yield made
    finally:
        server.close()
        await end(*made.tasks)


def asking(to: Shop, rules: list[Json], labels: list[Json], **fields: Any) -> Json:
    server = {"url": to.url, "timeoutSeconds": 2, **fields.pop("server", {})}
    return hearing(scripted(*rules, firstMessage="Hello there.", server=server, **fields), labels)


def api(stack: Stack) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}, timeout=20)


def is_answered(caller: Caller) -> bool:
    return any(each["status"] == "in-progress" for each in caller.messages("status-update"))


HMAC_SECRET = "hmac-7f3a91c2"
OLDER_SECRET = "older-7f3a91c2"
RULES: list[Json] = [{"when": "order", "say": "It ships on Friday."}]
EVERYTHING = [
    *("status-update", "end-of-call-report", "conversation-update", "speech-update", "transcript"),
    *("user-interrupted", "assistant.started", "model-output", "voice-input", "hang", "call.artifact.upload"),
]


async def test_a_server_follows_a_call_from_its_first_ring_to_the_report(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("where is my order")
    async with shop() as hook:
        assistant = asking(hook, RULES, labels, serverMessages=EVERYTHING)
        async with calling(stack.api, stack.key, assistant, metadata={"ours": 1}) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "reply.finished", timeout_s=30)
            await caller.hang_up()
            record = await caller.ended_record()
        (report,) = await hook.until(caller.call_id, "end-of-call-report")
        (upload,) = await hook.until(caller.call_id, "call.artifact.upload")
        *told, last_told = hook.messages(caller.call_id)
    assert last_told == upload
    assert {"type": "recording-stereo", "success": True} in upload["artifacts"]
    assert httpx.get(upload["artifact"]["presignedStereoUrl"]).status_code == 200
    kinds = [each["type"] for each in told]
    statuses = [each["status"] for each in told if each["type"] == "status-update"]
    assert statuses == ["ringing", "in-progress", "ended"]
    assert kinds[-1] == "end-of-call-report"
    assert kinds.count("end-of-call-report") == 1
    assert kinds.index("assistant.started") > 0
    assert "user-interrupted" not in kinds
    said = [(each["role"], each["transcript"]) for each in told if each["type"] == "transcript"]
    assert said[-2:] == [("user", "where is my order"), ("assistant", "It ships on Friday.")]
    assert [each["timestamp"] for each in told[:-1]] == sorted(each["timestamp"] for each in told[:-1])
    last = [each for each in told if each["type"] == "conversation-update"][-1]
    assert [each["role"] for each in last["messages"]] == ["user", "bot"]
    assert_report(report, record)
    ids = [headers["idempotency-key"] for headers, _ in hook.got]
    assert len(ids) == len(set(ids)), "nothing came twice"


def assert_report(report: Json, record: Json) -> None:
    assert report["endedReason"] == record["endedReason"] == "customer-ended-call"
    assert report["call"]["status"] == "ended"
    assert report["artifact"]["transcript"] == record["artifact"]["transcript"]
    assert report["artifact"]["messages"] == report["messages"]
    assert report["artifact"]["recording"]["stereoUrl"] == report["stereoRecordingUrl"]
    assert "presignedStereoUrl" in report["artifact"]
    assert report["cost"] == report["costBreakdown"]["total"]
    assert {row["type"] for row in report["costs"]} >= {"voice", "transport"}
    assert report["durationMs"] > 1_000
    assert (report["startedAt"], report["endedAt"]) == (record["startedAt"], record["endedAt"])
    assert httpx.get(report["artifact"]["presignedStereoUrl"]).status_code == 200


async def test_messages_come_in_order_and_once_although_both_makers_are_killed(stack: Stack, watch: BusWatch) -> None:
    pcm, _, labels = speech_at("where is my order")
    async with shop() as hook:
        async with calling(stack.api, stack.key, asking(hook, RULES, labels)) as caller:
            caller.say(pcm)
            await hook.until(caller.call_id, "speech-update")
            stack.signal("tool-runner", signal.SIGKILL)
            stack.signal("control-api", signal.SIGKILL)
            await watch.until(caller.call_id, "reply.finished", timeout_s=40)
            await caller.hang_up()
            await watch.until(caller.call_id, "call.ended", timeout_s=30)
        await hook.until(caller.call_id, "end-of-call-report", timeout_s=90)
        told = hook.messages(caller.call_id)
        keys = [headers["idempotency-key"] for headers, _ in hook.got if headers["x-call-id"] == caller.call_id]
    places = [tuple(map(int, key.split(".")[1:])) for key in keys]
    unique = list(dict.fromkeys(places))
    assert unique == sorted(unique), "in order"
    assert len(places) - len(unique) <= 1, "at most what was under way when its worker died came twice"
    statuses = [each["status"] for each in told if each["type"] == "status-update"]
    assert list(dict.fromkeys(statuses)) == ["ringing", "in-progress", "ended"]
    assert [each["type"] for each in told].count("conversation-update") >= 2


async def test_what_a_dead_server_did_not_take_is_shown_and_can_be_sent_again(stack: Stack) -> None:
    plan = {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 0.1}
    async with shop(status=500) as hook, api(stack) as http:
        assistant = asking(hook, [], [], serverMessages=["status-update"], server={"backoffPlan": plan})
        async with calling(stack.api, stack.key, assistant) as caller:
            await caller.until(lambda: is_answered(caller), 20, "the call's start")
            await caller.hang_up()
            await caller.ended_record()
        dead = await listed(http, caller.call_id, 3)
        assert [each["type"] for each in dead] == ["status-update"] * 3
        assert {(each["reason"], each["statusCode"]) for each in dead} == {("server-bad-status", 500)}
        whole = (await http.get(f"/delivery/{dead[0]['id']}")).json()
        assert whole["body"]["message"]["status"] == "ended"
        assert (await http.get("/delivery/nothing-like-it")).status_code == 404
        hook.status = 200
        again = await http.post(f"/delivery/{dead[0]['id']}/retry")
        assert again.json()["status"] == "sending"
        (message,) = await hook.until(caller.call_id, "status-update")
        assert message == whole["body"]["message"]
        assert len(await listed(http, caller.call_id, 2)) == 2
        assert (await http.post(f"/delivery/{dead[0]['id']}/retry")).status_code == 404


async def listed(http: httpx.AsyncClient, call: str, count: int) -> list[Json]:
    async with asyncio.timeout(30):
        while len(found := (await http.get("/delivery", params={"callId": call})).json()) != count:
            await asyncio.sleep(0.1)
    return found


async def test_a_server_that_hangs_slows_neither_its_call_nor_another_calls_messages(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at("where is my order")
    async with (
        shop(status=0) as dead,
        shop() as well,
        calling(stack.api, stack.key, asking(dead, RULES, labels)) as hanging,
    ):
        hanging.say(pcm)
        async with calling(stack.api, stack.key, asking(well, RULES, labels)) as caller:
            caller.say(pcm)
            await watch.until(caller.call_id, "reply.finished", timeout_s=30)
            await watch.until(hanging.call_id, "reply.finished", timeout_s=10)
            await caller.hang_up()
            await caller.ended_record()
        (ended,) = [each for each in await well.until(caller.call_id, "status-update", 3) if "endedReason" in each]
        await hanging.hang_up()
        await hanging.ended_record()
    assert ended["endedReason"] == "customer-ended-call"
    (measured,) = await watch.payloads(hanging.call_id, "turn.measured")
    assert measured["v2v_ms"] < 2_000


async def test_a_server_is_told_of_a_late_answer_of_its_words_and_of_the_caller_who_breaks_in(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, _, labels = speech_at("where is my order")
    second, _, more = speech_at("stop it please", 11_000)
    long = "It is on its way to you. " + "It left us on Monday and comes by the slow boat over the sea. " * 4
    rules = [{"when": "stop", "say": "As you wish."}, {"when": "order", "say": long}]
    wanted = ["hang", "assistant.speechStarted", "user-interrupted", "voice-input", "model-output"]
    async with shop() as hook:
        assistant = asking(hook, rules, labels + more, serverMessages=wanted)
        assistant["model"]["script"]["pace"] = {"firstTokenMs": 3_500}
        assistant["startSpeakingPlan"] = {"waitSeconds": 0, "speculation": {"enabled": False}}
        async with calling(stack.api, stack.key, assistant) as caller:
            caller.say(pcm + second[len(pcm) :])
            (cut,) = await watch.until(caller.call_id, "reply.interrupted", timeout_s=40)
            await hook.until(caller.call_id, "user-interrupted")
            await caller.hang_up()
        told = hook.messages(caller.call_id)
    kinds = [each["type"] for each in told]
    assert kinds.index("hang") < kinds.index("voice-input") < kinds.index("assistant.speechStarted")
    assert kinds.index("model-output") < kinds.index("assistant.speechStarted") < kinds.index("user-interrupted")
    begun = next(each for each in told if each.get("source") == "model")
    assert (begun["type"], begun["text"], begun["turn"]) == ("assistant.speechStarted", "It is on its way to you.", 0)
    (broken,) = [each for each in told if each["type"] == "user-interrupted"]
    assert cut["heard"].startswith("It is on its way to you.")
    assert broken["artifact"]["messages"][-1]["message"] == cut["heard"]


async def test_a_change_of_the_callers_language_is_told_once_whoever_owns_the_call(
    stack: Stack, watch: BusWatch
) -> None:
    pcm, speech, _ = speech_at("where is my order", 300)
    known = {each.text: speech.pcm[each.start_ms * 32 : each.end_ms * 32] for each in speech.labels}
    change = "language-change-detected"
    async with shop() as hook, TranscriberServer(known) as ears:
        ears_of = {"transcriber": {"provider": "custom-transcriber", "language": "en", "server": {"url": ears.url}}}
        assistant = asking(hook, RULES, [], serverMessages=[change, "status-update"], clientMessages=[change]) | ears_of
        async with calling(stack.api, stack.key, assistant) as caller:
            for turn, ears.language in enumerate(("en-US", "es", "es-MX"), start=1):
                caller.say(pcm)
                await watch.until(caller.call_id, "turn.committed", count=turn, timeout_s=30)
                await watch.until(caller.call_id, "reply.finished", count=turn, timeout_s=30)
                if turn == 2:
                    await hook.until(caller.call_id, change)
                    stack.signal("llm-orchestrator", signal.SIGKILL)
            detected = await watch.payloads(caller.call_id, "language.detected")
            finals = [each for each in await watch.payloads(caller.call_id, "transcript.final") if each["text"]]
            await caller.hang_up()
            await caller.ended_record()
        await hook.until(caller.call_id, "status-update", 3)
        (told,) = hook.messages(caller.call_id, change)
        (client_told,) = caller.messages(change)
    assert [each["language"] for each in finals] == ["en-US", "es", "es-MX"]
    assert [(each["before"], each["language"]) for each in detected] == [("en", "es")]
    assert told["language"] == client_told["language"] == "es"
    assert [each["role"] for each in told["artifact"]["messages"]] == ["user", "bot"], "before the turn it is in"


async def test_an_organisations_server_is_used_with_its_credential_and_an_assistants_own_comes_first(
    stack: Stack,
) -> None:
    plan = {"type": "hmac", "secretKey": HMAC_SECRET, "algorithm": "sha256"}
    async with shop() as general, shop() as own, api(stack) as operator:
        org = (await operator.post("/org", json={"name": "hooked"})).json()["id"]
        key = (await operator.post("/token", json={"orgId": org, "name": "k"})).json()["value"]
        operator.headers["Authorization"] = f"Bearer {key}"
        webhook = {"provider": "webhook", "name": "w", "authenticationPlan": plan}
        credential = (await operator.post("/credential", json=webhook)).json()["id"]
        changed = await operator.patch(f"/org/{org}", json={"server": {"url": general.url, "credentialId": credential}})
        assert changed.status_code == 200, changed.text
        for hook, fields in ((general, {}), (own, {"serverUrl": own.url, "serverUrlSecret": OLDER_SECRET})):
            assistant = scripted(serverMessages=["status-update"], **fields)
            async with calling(stack.api, key, assistant) as caller:
                await caller.until(lambda c=caller: is_answered(c), 20, "the call's start")
                await caller.hang_up()
                await caller.ended_record()
            await hook.until(caller.call_id, "status-update", 3)
    headers, body = general.got[0]
    signed = f"{headers['x-timestamp']}.".encode() + body
    assert headers["x-signature"] == hmac.new(HMAC_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert own.got[0][0]["x-vapi-secret"] == OLDER_SECRET
    assert OLDER_SECRET.encode() not in own.got[0][1]
    assert len(general.got) == 3, "the second call's went to its assistant's own server only"


def test_no_secret_of_a_server_is_on_the_disk_in_plain(stack: Stack) -> None:
    """Neither the credential's nor the older spelling's, of which the calls of the test before are full."""
    files = [path for path in stack.data_dir.rglob("*") if path.is_file()]
    assert any(b"hook" in path.read_bytes() for path in files), "what is no secret is found"
    for secret in (HMAC_SECRET, OLDER_SECRET):
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []
