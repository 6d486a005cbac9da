"""The asyncio shell around the table of a chat: what is decided is logged, then done."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from voxbus_contracts.assistant import Assistant, Model
from voxbus_contracts.commands import Command
from voxbus_contracts.events import ChatEnded, FaultRaised, UsageRecorded
from voxbus_contracts.message import Event
from voxbus_llm_orchestrator import answering, metrics
from voxbus_llm_orchestrator.asking import Answered, ToolWanted
from voxbus_llm_orchestrator.chat import table
from voxbus_llm_orchestrator.chat.asking import Before, Written, Wrote, ask, written_instead
from voxbus_llm_orchestrator.chat.lines import turns_for
from voxbus_llm_orchestrator.chat.state import ChatState, apply_chat
from voxbus_llm_orchestrator.decision import AskEndpointing, AskModel, At, Decide, DropModel, Out
from voxbus_llm_orchestrator.discovered import with_discovered
from voxbus_llm_orchestrator.knowledge_server import NOTHING, Knowledge, with_documents
from voxbus_llm_orchestrator.model_access import model_access
from voxbus_llm_orchestrator.models import Models, model_answering
from voxbus_llm_orchestrator.plan import plan_of
from voxbus_llm_orchestrator.templated import with_templates
from voxbus_providers.errors import ProviderError
from voxbus_providers.model import LanguageModel, ModelRequest, ModelUsage, Turn
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.tasks import end
from voxbus_runtime.telemetry import PastSpan, record

_GATHER_MS: Final = 50
"""Text that comes within this time of the last piece goes out with it: an event per token is for nobody's eye."""
_LONGEST_WAIT_MS: Final = 1_000
_TOO_MANY_DECISIONS: Final = 200

_Input = LoggedMessage | tuple[int, Written] | tuple[int, ProviderError] | tuple[int, Knowledge] | None


class ChatShell:
    """Made anew by each owner; everything lasting is in the log."""

    def __init__(self, call: OwnedCall, assistant: Assistant, models: Models) -> None:
        self._call = call
        self._template = assistant
        self._models = models
        self._state = ChatState()
        self._fill_in()
        self._inputs: asyncio.Queue[_Input] = asyncio.Queue()
        self._asking: asyncio.Task[None] | None = None
        self._asking_reply = 0
        self._attempt = 0
        self._heard_ms = self._now_ms()
        self._unwritten = ""
        self._wrote_ms = 0

    async def run(self) -> None:
        """Until the chat is over, or this worker leaves it."""
        for message in self._call.history:
            self._take_note(message)
        feeding = asyncio.create_task(self._feed())
        try:
            while not self._state.is_over and not self._call.leaving.is_set():
                await self._step(await self._settle())
        finally:
            self._drop_model()
            await end(feeding)

    def _fill_in(self) -> None:
        """The assistant and its plans with what is known now in the place of their placeholders."""
        config, self._variables = self._call.config, self._state.core.variables
        self._offers = self._state.core.discovered
        found = {tool: tools for (_, tool), tools in self._offers.items()}
        template = with_discovered(self._template, found)
        self._assistant = with_templates(template, config, self._variables)
        self._plan = plan_of(config.model_copy(update={"assistant": self._assistant}), None)

    # --- what happens ------------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        async for message in self._call.messages():
            self._inputs.put_nowait(message)
        self._inputs.put_nowait(None)

    async def _step(self, wake_ms: int | None) -> None:
        """Waits for the next thing to happen, or for the time the table asked for, and takes all there is."""
        now_ms = self._now_ms()
        until_ms = min(now_ms + _LONGEST_WAIT_MS, now_ms + _LONGEST_WAIT_MS if wake_ms is None else wake_ms)
        if self._unwritten:
            until_ms = min(until_ms, self._wrote_ms + _GATHER_MS)
        try:
            async with asyncio.timeout(max(1, until_ms - now_ms) / 1000):
                await self._take(await self._inputs.get())
        except TimeoutError:
            pass
        while not self._inputs.empty():
            await self._take(self._inputs.get_nowait())
        if self._unwritten and self._now_ms() >= self._wrote_ms + _GATHER_MS:
            await self._write(self._asking_reply)

    async def _take(self, item: _Input) -> None:
        match item:
            case LoggedMessage():
                self._take_note(item)
            case (int() as attempt, ProviderError() as problem) if attempt == self._attempt:
                await self._on_failure(self._asking_reply, problem)
            case (int() as attempt, (Wrote() | ToolWanted() | Answered()) as written) if attempt == self._attempt:
                await self._on_written(self._asking_reply, written)
            case (int() as attempt, Knowledge(problem=problem)) if attempt == self._attempt:
                await self._publish(FaultRaised(code="knowledge-server-failed", detail=problem, retryable=True))
            case _:
                return  # of a request that was given up, or nothing more to come

    def _take_note(self, message: LoggedMessage) -> None:
        if message.message is not None:
            self._state = apply_chat(self._state, message.message, message.envelope.event_id)
            core = self._state.core
            if core.variables is not self._variables or core.discovered is not self._offers:
                self._fill_in()

    def _now_ms(self) -> int:
        return unix_ms() - self._call.config.created_at_ms

    # --- what to do about it -----------------------------------------------------------------------------------

    def _view(self) -> table.ChatView:
        request = self._state.request
        answer_by_ms = request.answer_by_ms - self._call.config.created_at_ms if request else 0
        return table.ChatView(self._state, self._plan, self._now_ms(), answer_by_ms, self._asking_reply, self._heard_ms)

    async def _settle(self) -> int | None:
        """Carries out what the table decides until it has nothing more to do now; when to ask it again."""
        for _ in range(_TOO_MANY_DECISIONS):
            answer = table.decide(self._view())
            if not isinstance(answer, Decide):
                return answer.pts_ms if isinstance(answer, At) else None
            self._call.log.debug("decided", row=answer.reason)
            await self._carry_out(answer.outs)
        self._call.log.error("the table does not come to rest")
        await self._publish(FaultRaised(code="table-does-not-rest", detail="too many decisions at one time"))
        return None

    async def _carry_out(self, outs: Iterable[Out]) -> None:
        for out in outs:
            match out:
                case AskModel(reply):
                    self._ask_model(reply)
                case DropModel():
                    self._drop_model()
                case AskEndpointing():
                    pass
                case _:
                    await self._publish(out)

    async def _publish(self, message: Event | Command) -> None:
        """Logged, then true. The end waits until it is stored: nothing retries it after us."""
        if isinstance(message, ChatEnded):
            await self._record_chat(message)
            await self._call.publish_stored(message)
            self._record_end(message)
        else:
            await self._call.publish(message)
        self._state = apply_chat(self._state, message)

    def _record_end(self, ended: ChatEnded) -> None:
        config = self._call.config
        metrics.CHATS_ENDED.labels(ended.error or "answered").inc()
        attributes = {"voxbus.chat": config.call, "voxbus.ended_reason": ended.error or "answered"}
        span = PastSpan(metrics.CHAT_SPAN, config.created_at_ms, unix_ms(), attributes)
        if config.traceparent:
            record(span, parent="", own=config.traceparent)

    # --- the model ---------------------------------------------------------------------------------------------

    def _ask_model(self, reply: int) -> None:
        self._drop_model()
        self._asking_reply, self._heard_ms = reply, self._now_ms()
        self._asking = asyncio.create_task(self._ask(reply, self._attempt))

    def _drop_model(self) -> None:
        """What it has said and nobody has been told of was never said."""
        if self._asking is not None:
            self._asking.cancel()
        self._asking, self._asking_reply, self._unwritten = None, 0, ""
        self._attempt += 1

    async def _ask(self, reply: int, attempt: int) -> None:
        try:
            name, model = self._models.get(self._model)
            known = self._state.core.replies[reply]
            before = Before(len(self._state.written(reply)), len(known.tools))
            if before.tools and not model.capabilities.deterministic:
                self._inputs.put_nowait((attempt, Answered(0, False, None)))
                return
            request = self._request(model, reply)
            looked_up = await self._look_up(attempt, request.messages)
            if looked_up.message:
                for written in written_instead(looked_up.message, before):
                    self._inputs.put_nowait((attempt, written))
                return
            request = replace(request, messages=with_documents(request.messages, looked_up.documents))
            async for written in ask(model, request, before if model.capabilities.deterministic else Before()):
                self._inputs.put_nowait((attempt, written))
                if isinstance(written, Answered):
                    metrics.MODEL_FIRST_TOKEN.labels(name).observe(written.first_token_ms)
        except ProviderError as problem:
            metrics.MODEL_FAILURES.labels(problem.provider, problem.code).inc()
            self._inputs.put_nowait((attempt, problem))

    def _request(self, model: LanguageModel, reply: int) -> ModelRequest:
        goes_on = not model.capabilities.deterministic
        turns = turns_for(self._state, self._assistant, reply, goes_on=goes_on)
        ref = self._call.ref
        chosen = self._model
        access = model_access(self._call, self._call.config, self._assistant, chosen)
        return ModelRequest(chosen, turns, chosen.tools, call=ref.call, org=ref.org, access=access)

    @property
    def _model(self) -> Model:
        """Whoever answers now: the assistant's, or who stands in for it."""
        return model_answering(self._assistant.model, self._state.core.stand_in)

    async def _look_up(self, attempt: int, messages: tuple[Turn, ...]) -> Knowledge:
        server = self._models.knowledge
        found = await server.ask(self._call.config, self._assistant, messages) if server is not None else NOTHING
        if found.problem:
            self._inputs.put_nowait((attempt, found))
        return found

    async def _on_written(self, reply: int, written: Written) -> None:
        self._heard_ms = self._now_ms()
        match written:
            case Wrote(text):
                self._unwritten += text
            case ToolWanted(name, arguments):
                await self._write(reply)
                now_ms = self._now_ms()
                await self._carry_out(answering.wants_tool(self._state.core, reply, name, arguments, now_ms))
            case Answered():
                await self._write(reply)
                if written.usage is not None:
                    await self._record_usage(written.usage)
                self._drop_model()
                outs = table.generated(self._view(), reply, written.first_token_ms, written.end_call)
                await self._carry_out(outs)

    async def _write(self, reply: int) -> None:
        text, self._unwritten = self._unwritten, ""
        self._wrote_ms = self._now_ms()
        await self._carry_out(table.worded(self._view(), reply, text))

    async def _on_failure(self, reply: int, problem: ProviderError) -> None:
        self._call.log.warning("model failed", provider=problem.provider, code=problem.code, problem=problem.detail)
        await self._write(reply)
        self._drop_model()
        provider = self._model.provider
        failure = answering.Failure("model-failed", f"{provider}: {problem.detail}", problem.retryable)
        await self._carry_out(table.failed(self._view(), reply, failure))

    async def _record_chat(self, ended: ChatEnded) -> None:
        """A chat that is answered counts as one, whoever says so: by its id."""
        if not ended.error:
            used = UsageRecorded(item="chat", provider="vapi", unit="messages", quantity=1)
            ref, stage = self._call.ref, self._call.stage
            traceparent = self._call.config.traceparent
            await self._call.bus.publish_event(
                ref, used, stage=stage, event_id=f"chat.{ref.call}", traceparent=traceparent
            )

    async def _record_usage(self, used: ModelUsage) -> None:
        model = self._model
        counts = {
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cached_prompt_tokens": used.cached_prompt_tokens,
        }
        for unit, quantity in counts.items():
            if quantity:
                usage = {"item": "model", "provider": model.provider, "model": model.model}
                await self._publish(UsageRecorded.model_validate({**usage, "unit": unit, "quantity": quantity}))
