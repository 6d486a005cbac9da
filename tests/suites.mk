# Suites that measure or take long. Variables of the same name pass options on: `make chaos CHAOS="kill:vad --calls 5"`.
acceptance: $(VENV)/.members $(VENV)/.test $(VENV)/.sdk ## official clients, the served API document and tenants against a whole stack
	$(BIN)/pytest tests/acceptance
bench: $(VENV)/.members $(VENV)/.test ## measure latency, CPU and memory per call, then the API under load
	$(BIN)/voxbus bench $(BENCH)
	$(BIN)/voxbus bench --api-load
	$(BIN)/python tests/bench/turn_taking --recognizer position --only-if-recorded
chaos: $(VENV)/.members $(VENV)/.test ## break workers, bus and storage in the middle of 20 calls, 27 minutes; writes docs/reliability.md
	$(BIN)/python tests/chaos $(CHAOS)
turn-taking: $(VENV)/.members $(VENV)/.test ## score the end of turns and interruptions on recordings
	$(BIN)/python tests/bench/turn_taking
soak: $(VENV)/.members $(VENV)/.test ## call again and again for an hour, and say what grows
	$(BIN)/python tests/soak $(SOAK)
slots: $(VENV)/.members $(VENV)/.test ## recorded drink orders through real calls, four minutes
	$(BIN)/python tests/bench/slots $(SLOTS)
bench-peers: $(VENV)/.members $(VENV)/.test ## the same against peers, some 20 minutes; writes docs/benchmarks.md
	$(BIN)/python tests/bench/peers $(BENCH)
$(VENV)/.sdk: $(wildcard requirements/sdk-*.lock) tests/acceptance/clients/package-lock.json | $(VENV)/.lint
	tests/acceptance/clients/install.sh $(VENV)
	@touch $@
.PHONY: acceptance bench bench-peers turn-taking slots chaos soak
