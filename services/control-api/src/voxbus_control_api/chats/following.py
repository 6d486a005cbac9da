"""What is heard of a chat on the bus → what the one who waits for it reads. Pure."""

from voxbus_contracts import Envelope, Message
from voxbus_contracts.events import ChatEnded, ChatWorded, StageClaimed
from voxbus_control_api.chats.lines import text_of
from voxbus_control_api.errors import ApiError, ModelFailed, Unavailable
from voxbus_runtime.fence import Fence

NO_WORKER = "no-worker"
NO_ANSWER = "no-answer"


class Following:
    """Gives each piece of text once and in order, whichever worker wrote it; old owners count no more."""

    def __init__(self) -> None:
        self._fence = Fence()
        self._early: dict[tuple[int, int], str] = {}
        self._reply, self._piece = 1, 1
        self.is_claimed = False
        self.text = ""
        """All that was given out."""

    def take(self, envelope: Envelope, message: Message) -> str:
        """The text that can be read now; "" when there is none."""
        if envelope.number and not self._fence.accepts(envelope.stage, envelope.epoch):
            return ""
        match message:
            case StageClaimed():
                self.is_claimed = True
            case ChatWorded(reply=reply, piece=piece, text=text) if (reply, piece) >= (self._reply, self._piece):
                self._early[reply, piece] = text
            case _:
                pass
        return self._given("".join(self._next_pieces()))

    def rest(self, ended: ChatEnded) -> str:
        """What of the whole answer was not given out yet: pieces that were lost on the way."""
        whole = text_of(ended.lines)
        return self._given(whole[len(self.text) :] if whole.startswith(self.text) else "")

    def _next_pieces(self) -> list[str]:
        found: list[str] = []
        while self._early:
            if (self._reply, self._piece) not in self._early:
                later = min(self._early)
                if later[0] == self._reply or later[1] != 1:
                    break
                self._reply, self._piece = later
                found.append("\n" if self.text or found else "")
            found.append(self._early.pop((self._reply, self._piece)))
            self._piece += 1
        return found

    def _given(self, text: str) -> str:
        self.text += text
        return text


def failure_of(ended: ChatEnded) -> ApiError | None:
    """What to answer for a chat that came to nothing; None for one that is answered."""
    if not ended.error:
        return None
    if ended.error == NO_WORKER:
        return Unavailable("no llm-orchestrator is free to answer; try again")
    return ModelFailed(f"the chat could not be answered ({ended.error}): {ended.detail or 'no reason is known'}")
