"""query tools: passages out of the customer's files, for the model to answer with."""

from dataclasses import dataclass
from typing import Any, Final

from voxbus_tool_runner.answer import Answer, one_line
from voxbus_tool_runner.errors import BadArguments, KnowledgeMissing
from voxbus_tool_runner.job import Job, Run
from voxbus_tool_runner.knowledge.library import Library

PASSAGES: Final = 5
NOTHING: Final = "Nothing about this was found in the documents."


@dataclass(frozen=True, slots=True)
class QueryTools:
    """The files that the tool's knowledge bases name."""

    library: Library

    def job(self, run: Run) -> Job:
        """Raises BadArguments, KnowledgeMissing."""
        query = str(run.command.arguments.get("query") or "").strip()
        if not query:
            raise BadArguments("query must say what to look up.")
        wanted = run.command.arguments.get("knowledgeBase")
        bases = [each for each in run.tool.knowledge_bases if not wanted or each.name == wanted]
        if not bases:
            raise BadArguments(f"knowledgeBase must be one of: {', '.join(b.name for b in run.tool.knowledge_bases)}.")
        ids = dict.fromkeys(each for base in bases for each in base.file_ids)
        files = [run.config.tool_files[each] for each in ids if each in run.config.tool_files]
        if not files:
            raise KnowledgeMissing("The files of the tool are not there any more.")

        async def act() -> Answer:
            index = await self.library.index(files)
            found: list[dict[str, Any]] = [
                {"file": each.file, "text": each.text} for each in index.best(query, PASSAGES)
            ]
            return Answer(result=one_line(found) if found else NOTHING, value=found)

        return Job(act, run.timeout_s)
