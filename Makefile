# For a fresh machine: `make demo`, `make test`, `make install`. PYTHON names another interpreter (3.11 or later).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
TEST_PROCESSES ?= 4
SEED ?= 1
BODIES ?= 100000

# What is imported a hundred times is compiled once, even where the environment forbids Python to keep that.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo serve studio test eval fuzz crash bench screenshots mutations check lint lock clean

demo: $(VENV)/.installed ## Break a deployment in the sandbox cluster, and mend it with your approval
	@$(BIN)/mendgate demo $(ARGS)

install: $(VENV)/.installed ## Make .venv with what is locked and the command mendgate
	@echo 'The command is there: export PATH="$(abspath $(BIN)):$$PATH"'

serve: $(VENV)/.installed ## Run the service against your kubeconfig
	@$(BIN)/mendgate serve $(ARGS)

studio: $(VENV)/.dev ## Debug runs in LangGraph Studio (docs/studio.md)
	@$(BIN)/langgraph dev $(ARGS)

test: $(VENV)/.dev ## Run the tests, several at a time since most of them wait (PYTEST_ARGS narrows them down)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

eval: $(VENV)/.dev ## Score the diagnosis, the repairs and the verdicts on all scenarios (docs/evaluation.md; ARGS=--help)
	$(BIN)/python -m bench.eval $(ARGS)

fuzz: $(VENV)/.dev ## 100,000 mutated webhook bodies, and the API against its description (an hour)
	$(BIN)/python -m tests.fuzz.campaign --bodies $(BODIES) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.description --seed $(SEED)

crash: $(VENV)/.dev ## Kill the service 20 times at every boundary, on both databases (ARGS=--help)
	$(BIN)/python -m tests.crash $(ARGS)

bench: $(VENV)/.dev ## Measure: overhead, ingest, storm, decisions, growth, start, replicas (ARGS=--help)
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: $(VENV)/.dev ## Take the pictures of the page in docs/images/ anew (needs chromium)
	$(BIN)/python -m tests.acceptance.screenshots

mutations: $(VENV)/.dev ## Take the gate's conditions away, one at a time: tests must turn red
	$(BIN)/python -m tests.attack.mutations $(ARGS)

check: lint test ## Everything a change must pass

lock: ## Resolve both locks anew (needs uv); no registry's address may enter them
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --extra build --extra otel pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --extra build --extra otel --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mendgate needs Python 3.11 or later: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) can't make a virtual environment; Debian and Ubuntu have that in a package: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what is locked (once; a minute or two) ..."
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.installed
