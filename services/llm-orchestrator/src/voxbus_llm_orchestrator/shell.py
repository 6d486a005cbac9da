"""One call: feeds the table with what happens, carries out what it decides."""

import asyncio
import contextlib
from collections.abc import Iterable

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.events import (
    CallEnded,
    DestinationResolved,
    FaultRaised,
    ReplyDropped,
    ReplyStarted,
    StageClaimed,
    TurnMeasured,
    TurnWaitAdvised,
    UsageRecorded,
)
from voxbus_contracts.message import Command, Event, Message
from voxbus_llm_orchestrator import answering, metrics
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.asking import Answered, Before, Heard, SentenceReady, ToolWanted, ask
from voxbus_llm_orchestrator.audio_clock import AudioClock, stamp_ms
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.conversation import messages_for, openai_messages, said_so_far, without_continuation
from voxbus_llm_orchestrator.decision import NOTHING_SPENT, AskEndpointing, AskModel, At, Decide, DropModel, Out, View
from voxbus_llm_orchestrator.endpointing_server import Advice, EndpointingServer
from voxbus_llm_orchestrator.knowledge_server import NOTHING, Knowledge, said_instead, with_documents
from voxbus_llm_orchestrator.line_watch import LineWatch
from voxbus_llm_orchestrator.model_access import Access
from voxbus_llm_orchestrator.models import Models, model_answering
from voxbus_llm_orchestrator.saying import Spoken
from voxbus_llm_orchestrator.speculation import dropped, may_go_ahead
from voxbus_llm_orchestrator.spending import after, estimated
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.table import decide
from voxbus_llm_orchestrator.tracing import CallTrace
from voxbus_llm_orchestrator.turn_so_far import turn_so_far
from voxbus_providers.errors import ProviderError, ProviderSlow
from voxbus_providers.model import ModelRequest, ModelUsage, Turn
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.peers import Peers
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.tasks import end

MEDIA = "media-ingress"
_CLOCK_STAGES = frozenset({MEDIA, "vad"})
"""Those who say where the caller's audio stands while they say it."""
_LINE_CHECK_MS = 1_000
_TOO_MANY_DECISIONS = 200

Input = LoggedMessage | tuple[int, Heard] | tuple[int, ProviderError] | tuple[int, Knowledge] | Advice | None


class CallShell:
    """Made anew by each owner; everything lasting is in the log."""

    def __init__(
        self,
        call: OwnedCall,
        cast: Cast,
        models: Models,
        peers: Peers,
        endpointing_server: EndpointingServer,
    ) -> None:
        self._call = call
        self._cast = cast
        self._models = models
        self._access = Access(call)
        self._peers = peers
        self._clock = AudioClock()
        self._trace = CallTrace(call.config, self._clock)
        self._state = CallState()
        self._fill_in()
        self._inputs: asyncio.Queue[Input] = asyncio.Queue()
        self._asking: asyncio.Task[None] | None = None
        self._asking_reply = 0
        self._asked_pts_ms = 0
        self._spent = NOTHING_SPENT
        self._waiting: list[Heard] = []
        self._endpointing_server = endpointing_server
        self._advising: asyncio.Task[None] | None = None
        self._advising_seq = 0
        self._line = LineWatch(peers, call.log)

    @property
    def state(self) -> CallState:
        return self._state

    async def run(self) -> None:
        """Until the call has ended, or this worker leaves it."""
        for message in self._call.history:
            self._take_note(message, message.envelope.occurred_at_ms)
        self._check_line()
        feeding = asyncio.create_task(self._feed())
        try:
            while not self._state.ended and not self._call.leaving.is_set():
                await self._step(await self._settle())
        finally:
            self._drop_model()
            if self._advising is not None:
                self._advising.cancel()
            await end(feeding)

    def _fill_in(self) -> None:
        """The assistant that has the call and its plans, with what is known now."""
        self._variables, self._speaking = self._state.variables, self._state.active
        self._offers, self._language = self._state.discovered, self._state.language
        self._assistant, self._plan = self._cast.speaking(self._state)

    def _become(self, state: CallState) -> None:
        self._state = state
        is_known = state.variables is self._variables and state.discovered is self._offers
        if not is_known or (state.active, state.language) != (self._speaking, self._language):
            self._fill_in()

    # --- what happens ------------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        async for message in self._call.messages():
            self._inputs.put_nowait(message)
        self._inputs.put_nowait(None)

    async def _step(self, wake_pts_ms: int | None) -> None:
        """Waits for the next thing to happen, or for the time the table asked for, and takes all there is."""
        now = unix_ms()
        until = now + _LINE_CHECK_MS
        if wake_pts_ms is not None:
            until = min(until, self._clock.unix_ms_at(wake_pts_ms, now))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, (until - now) / 1000)):
                await self._take(await self._inputs.get())
        while not self._inputs.empty():
            await self._take(self._inputs.get_nowait())
        self._check_line()

    async def _take(self, item: Input) -> None:
        match item:
            case LoggedMessage():
                await self._learn(item.message)
                self._take_note(item, unix_ms())
            case (int() as reply, ProviderError() as problem):
                await self._on_failure(reply, problem)
            case (int() as reply, (SentenceReady() | ToolWanted() | Answered()) as heard):
                await self._on_heard(reply, heard)
            case Advice():
                await self._on_advice(item)
            case (int(), Knowledge(problem=problem)):
                fault = FaultRaised(code="knowledge-server-failed", detail=problem, retryable=True)
                await self._publish(fault)
            case _:
                return

    def _take_note(self, message: LoggedMessage, at_unix_ms: float) -> None:
        body = message.message
        if body is None:
            return
        if message.envelope.stage in _CLOCK_STAGES:
            self._clock.heard(stamp_ms(body), at_unix_ms)
        if isinstance(body, StageClaimed) and body.stage == MEDIA:
            self._line.claimed(body.worker, body.epoch)
        self._become(apply(self._state, body, message.envelope.event_id))

    async def _learn(self, body: Message | None) -> None:
        """An assistant that was found while the call runs is in the call's configuration by now."""
        member = str(body.destination.get("member", "")) if isinstance(body, DestinationResolved) else ""
        if member and not self._cast.knows(member):
            config = await self._call.bus.read_config(self._call.ref)
            if config is not None:
                self._cast.learn(config)
                self._fill_in()

    def _check_line(self) -> None:
        self._line.check(self._state.attachment, self._now_ms(), unix_ms())

    # --- what to do about it -----------------------------------------------------------------------------------

    async def _settle(self) -> int | None:
        """Carries out what the table decides until it has nothing more to do now; when to ask it again."""
        for _ in range(_TOO_MANY_DECISIONS):
            await self._go_on_with_what_waited()
            answer = decide(self._view())
            if not isinstance(answer, Decide):
                return answer.pts_ms if isinstance(answer, At) else None
            metrics.DECISIONS.labels(answer.reason).inc()
            if answer.rescue:
                metrics.RESCUES.labels(answer.rescue).inc()
            self._call.log.debug("decided", row=answer.reason)
            await self._carry_out(answer.outs)
        self._call.log.error("the table does not come to rest")
        await self._publish(FaultRaised(code="table-does-not-rest", detail="too many decisions at one time"))
        return self._now_ms() + _LINE_CHECK_MS

    def _view(self) -> View:
        return View(
            self._state,
            self._plan,
            self._now_ms(),
            self._asking_reply,
            self._line.lost_pts_ms,
            self._advising_seq,
            self._spent,
            self._call.is_behind or self._peers.is_deaf,
            self._line.is_catching_up(unix_ms()),
        )

    def _now_ms(self) -> int:
        return self._clock.now_ms(unix_ms())

    async def _carry_out(self, outs: Iterable[Out]) -> None:
        for out in outs:
            match out:
                case AskModel(reply):
                    self._ask_model(reply)
                case DropModel():
                    self._drop_model()
                case AskEndpointing(seq):
                    self._ask_endpointing(seq)
                case _:
                    await self._publish(out)

    async def _publish(self, message: Event | Command) -> None:
        """Logged, then true. The end alone waits until it is stored: nothing retries it after us."""
        if isinstance(message, CallEnded):
            await self._call.publish_stored(message)
            metrics.ENDED.labels(message.reason).inc()
        else:
            await self._call.publish(message, traceparent=self._trace.traceparent_of(self._state, message))
        if isinstance(message, TurnMeasured):
            metrics.observe_turn(message)
        if isinstance(message, ReplyStarted) and message.reply == self._state.speculating:
            metrics.SPECULATIONS.labels("given").inc()
        self._become(apply(self._state, message))
        self._trace.on_said(self._state, message)
        if isinstance(message, ReplyDropped):
            await self._on_dropped(message)

    async def _on_dropped(self, drop: ReplyDropped) -> None:
        metrics.SPECULATIONS.labels(drop.reason).inc()
        await self._record_usage(ModelUsage(drop.prompt_tokens, drop.completion_tokens), wasted=True)

    # --- the customer's endpointing server -----------------------------------------------------------------------

    def _ask_endpointing(self, seq: int) -> None:
        if self._advising is not None:
            self._advising.cancel()
        self._advising_seq = seq
        config = self._cast.config(self._state)
        messages = openai_messages(self._state, self._assistant, turn_so_far(self._state).text)

        async def ask_server() -> None:
            advice = await self._endpointing_server.ask(config, self._assistant, seq, messages)
            self._inputs.put_nowait(advice)

        self._advising = asyncio.create_task(ask_server())

    async def _on_advice(self, advice: Advice) -> None:
        """Logged whatever it is: without an answer the turn goes on by the plan that comes next."""
        if advice.problem:
            metrics.ENDPOINTING_FAILURES.inc()
            await self._publish(FaultRaised(code="endpointing-server-failed", detail=advice.problem, retryable=True))
        told = TurnWaitAdvised(
            transcript_seq=advice.transcript_seq, wait_ms=advice.wait_ms, pts_ms=max(0, self._now_ms())
        )
        await self._publish(told)

    # --- the model ---------------------------------------------------------------------------------------------

    def _ask_model(self, reply: int) -> None:
        self._drop_model()
        self._asking_reply, self._asked_pts_ms = reply, max(0, self._now_ms())
        self._asking = asyncio.create_task(self._ask(reply))

    def _drop_model(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asked_all()

    def _asked_all(self) -> None:
        self._asking, self._asking_reply, self._spent = None, 0, NOTHING_SPENT
        self._waiting = []

    async def _ask(self, reply: int) -> None:
        assistant = self._assistant
        known = self._state.replies.get(reply)
        try:
            chosen = model_answering(assistant.model, self._state.stand_in)
            name, model = self._models.get(chosen)
            before = Before(len(said_so_far(self._state, known)), len(known.tools)) if known else Before()
            messages = messages_for(self._state, assistant, reply, self._cast.prompts(self._state))
            if model.capabilities.deterministic:
                messages = without_continuation(messages, before.sentences)
            elif before.tools:
                self._inputs.put_nowait((reply, Answered(0, False, None)))
                return
            else:
                before = Before()
                self._spent = estimated(messages)
            looked_up = await self._look_up(reply, assistant, messages)
            if looked_up.message:
                for heard in said_instead(looked_up.message, len(said_so_far(self._state, known)) if known else 0):
                    self._inputs.put_nowait((reply, heard))
                return
            messages = with_documents(messages, looked_up.documents)
            access = self._access.of(self._cast.config(self._state), assistant, chosen)
            ref = self._call.ref
            request = ModelRequest(chosen, messages, chosen.tools, call=ref.call, org=ref.org, access=access)
            turn = known.turn if known else self._state.speculations[reply].turn
            with self._trace.asking(turn, chosen) as asking:
                async for heard in ask(model, request, before, assistant.voice.chunk_plan):
                    self._inputs.put_nowait((reply, heard))
                    asking.heard(heard)
                    if isinstance(heard, Answered):
                        metrics.MODEL_FIRST_TOKEN.labels(name).observe(heard.first_token_ms)
        except ProviderError as problem:
            metrics.MODEL_FAILURES.labels(problem.provider, problem.code).inc()
            self._inputs.put_nowait((reply, problem))

    async def _look_up(self, reply: int, assistant: Assistant, messages: tuple[Turn, ...]) -> Knowledge:
        server = self._models.knowledge
        found = await server.ask(self._cast.config(self._state), assistant, messages) if server is not None else NOTHING
        if found.problem:
            self._inputs.put_nowait((reply, found))
        return found

    async def _on_heard(self, reply: int, heard: Heard) -> None:
        state, plan, now_ms = self._state, self._plan, self._now_ms()
        if not answering.is_wanted(state, reply):
            return
        self._spent = after(self._spent, heard)
        if not may_go_ahead(state, reply, heard, self._waiting):
            self._waiting.append(heard)
            return
        match heard:
            case SentenceReady():
                is_prepared = reply == state.speculating
                spoken = Spoken(
                    reply,
                    state.speculations[reply].turn if is_prepared else state.replies[reply].turn,
                    model_ms=heard.first_token_ms,
                    sentence_ms=heard.sentence_ms,
                    asked_pts_ms=self._asked_pts_ms,
                    hold=is_prepared,
                    pts_ms=now_ms,
                )
                await self._carry_out(answering.said(state, plan, spoken, heard.text))
            case ToolWanted():
                await self._carry_out(answering.wants_tool(state, reply, heard.name, heard.arguments, self._now_ms()))
            case Answered():
                if heard.usage is not None:
                    await self._record_usage(heard.usage)
                self._asked_all()
                await self._carry_out(
                    answering.generated(state, plan, reply, heard.first_token_ms, heard.end_call, now_ms)
                )

    async def _go_on_with_what_waited(self) -> None:
        """The turn has taken the answer that was prepared: what else the model said of it is done now, in order."""
        reply = self._asking_reply
        if self._waiting and reply != self._state.speculating:
            waiting, self._waiting = self._waiting, []
            for heard in waiting:
                await self._on_heard(reply, heard)

    async def _on_failure(self, reply: int, problem: ProviderError) -> None:
        self._call.log.warning("model failed", provider=problem.provider, code=problem.code, problem=problem.detail)
        if reply == self._state.speculating:
            await self._carry_out(dropped(self._view(), "model-failed"))
            return
        self._asked_all()
        code = "model-slow" if isinstance(problem, ProviderSlow) else "model-failed"
        metrics.RESCUES.labels(code).inc()
        provider = model_answering(self._assistant.model, self._state.stand_in).provider
        failure = answering.Failure(code, f"{provider}: {problem.detail}", problem.retryable)
        await self._carry_out(answering.failed(self._state, self._plan, reply, failure, self._now_ms()))

    async def _record_usage(self, used: ModelUsage, *, wasted: bool = False) -> None:
        model = model_answering(self._assistant.model, self._state.stand_in)
        counts = {
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cached_prompt_tokens": used.cached_prompt_tokens,
        }
        for unit, quantity in counts.items():
            if quantity:
                usage = {"item": "model", "provider": model.provider, "model": model.model, "wasted": wasted}
                await self._publish(UsageRecorded.model_validate({**usage, "unit": unit, "quantity": quantity}))
