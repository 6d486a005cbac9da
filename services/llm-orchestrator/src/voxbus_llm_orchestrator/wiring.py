"""The only file that names concrete parts."""

import os
import ssl
from contextlib import suppress

import httpx

from voxbus_bus import EventBroker
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts.streams import ANALYSIS_RUNS, ANALYST
from voxbus_llm_orchestrator.analysis.analyst import ANALYSES_AT_A_TIME, Analyst
from voxbus_llm_orchestrator.endpointing_server import EndpointingServer
from voxbus_llm_orchestrator.handlers import INTERESTS, CallControl, serving
from voxbus_llm_orchestrator.knowledge_server import KnowledgeServer
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.providers.custom_llm import CustomLlm
from voxbus_llm_orchestrator.providers.openai import OpenAiModel
from voxbus_llm_orchestrator.providers.registry import compatible_vendors, model_class
from voxbus_llm_orchestrator.settings import Settings
from voxbus_llm_orchestrator.shell import MEDIA
from voxbus_proto.control.v1 import control_pb2_grpc
from voxbus_providers.model import LanguageModel
from voxbus_runtime.claims import StageWorker
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, operator_client, tls_context
from voxbus_runtime.outbound_warm_up import warm_up
from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.service import Runtime


def make_model(settings: Settings, name: str, tls: ssl.SSLContext) -> LanguageModel:
    """A model by its resolved name. Raises ProviderMissing."""
    made = model_class(name)
    if made is CustomLlm:
        client = customer_client(Guard.parse(settings.guard_allow), tls=tls)
        return CustomLlm(client, ServerAccess(client, settings.cluster_key))
    if made is OpenAiModel:
        vendor = compatible_vendors()[name]
        key = settings.openai_api_key.get_secret_value() if name == "openai" and settings.openai_api_key else ""
        base_url = settings.openai_base_url if name == "openai" and settings.openai_base_url else vendor.base_url
        key = key or os.environ.get(vendor.api_key_env, "")
        return OpenAiModel(operator_client(tls), base_url, key, provider=name, limit_field=vendor.limit_field)
    return made()


class Orchestrator(StageWorker):
    """The stage's worker, with its models."""

    def __init__(self, runtime: Runtime[Settings]) -> None:
        self._tls = tls = tls_context()
        guard = Guard.parse(runtime.settings.guard_allow)
        asking, ending = customer_client(guard, tls=tls), customer_client(guard, tls=tls)
        knowledge = KnowledgeServer(asking, ServerAccess(asking, runtime.settings.cluster_key))
        self._models = Models(lambda name: make_model(runtime.settings, name, tls), knowledge)
        self._endpointing_server = EndpointingServer(ending, ServerAccess(ending, runtime.settings.cluster_key))
        self._analyses = EventBroker(runtime.settings.nats_url, runtime.name, runtime.log)
        publisher = StoredPublisher(runtime.bus, "llm-orchestrator")
        analyst = Analyst(runtime.bus, publisher, self._models, runtime.settings.cluster_key)
        self._analyses.consumes(ANALYST, workers=ANALYSES_AT_A_TIME)(analyst.on_call_ended)
        self._analyses.consumes(ANALYSIS_RUNS, workers=ANALYSES_AT_A_TIME)(analyst.on_run)
        serve = serving(runtime, self._models, self._endpointing_server)
        super().__init__(runtime, "llm-orchestrator", serve, INTERESTS)

    async def start(self) -> None:
        """Ready for the first question; and it must notice when the media-ingress of a call is gone."""
        with suppress(httpx.HTTPError, OSError):
            await warm_up(self._tls)
        await self.runtime.peers.listen(MEDIA)
        await super().start()
        await self._analyses.start()

    async def drain(self) -> int:
        """What is being asked about calls that are over is answered, or comes to another worker."""
        await self._analyses.stop()
        return await super().drain()

    async def close(self) -> None:
        await super().close()
        await self._models.close()
        await self._endpointing_server.close()


async def wire(runtime: Runtime[Settings]) -> Orchestrator:
    worker = Orchestrator(runtime)
    servicer = CallControl(worker.owned)
    control_pb2_grpc.add_CallControlServicer_to_server(servicer, runtime.grpc_server)
    return worker
