# Two commands matter: `make up` shows the city, `make test` proves it.
# Everything is installed inside this folder: .venv (the program), .cache (uv, Apache Kafka for the tests).

PORT ?= 8000
DATA ?= ./data
SPEED ?=
ONLY ?=
ARGS ?=
UV_VERSION := 0.13.9
# The newest Python that will do; where none will, any, so that the message can name its version.
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(if $(shell $(p) -c 'import sys; print("ok" if sys.version_info >= (3, 11) else "")' 2>/dev/null),$(p))) python3)
UV := .cache/tools/bin/uv
SYNC = UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --inexact --python "$(PYTHON)"
SYNC_FAILED := echo "could not install: check this machine's network and the room on its disk, and try again" >&2; exit 1
RUN := .venv/bin
AGAIN = { [ $$? = 1 ] && [ "$$(tests/support/failed.sh)" -le 5 ] && echo "once more, by themselves:" && $(RUN)/pytest --lf --lfnf=none; }

# An environment remembers where it stands and which Python it was made of: after a move or an upgrade it is made anew.
ifneq ($(wildcard .venv),)
ifneq ($(shell [ ! -f .venv/.place ] || [ "$$(cat .venv/.place)" = "$(CURDIR)" ] && .venv/bin/python -c 'print("sound")' 2>/dev/null),sound)
STALE := stale
endif
endif

.PHONY: up down test check format bench score clean venv venv-dev engines help stale

help:
	@echo "make up [PORT=8000] [DATA=./data] [SPEED=60]   start the simulated city; Ctrl-C stops it"
	@echo "make venv                                      install, and compile the kernels beforehand"
	@echo "make test                                      bring the test engines and run all tests"
	@echo "make check                                     format, lint, types, import floors"
	@echo "make bench [ONLY=ingest]                       measure here, write docs/benchmarks.md"
	@echo "make score [ONLY=nab]                          score detection, write docs/benchmarks.md"

up: .venv/.runtime
	@exec "$(RUN)/citynerve" up --port "$(PORT)" --data "$(DATA)" $(if $(SPEED),--speed "$(SPEED)")

down: .venv/.runtime
	@"$(RUN)/citynerve" down --data "$(DATA)"

# A city that was not installed beforehand does not wait for a compiler: its pages come up while detection compiles.
venv: .venv/.runtime
	@echo "compiling the kernels of ingest and detection (a minute, once)"
	@"$(RUN)/citynerve" warm

venv-dev: .venv/.dev

.venv/.runtime: pyproject.toml uv.lock $(STALE)
	@tests/support/tools.sh "$(PYTHON)" $(UV_VERSION)
	@echo "installing citynerve into .venv (a minute, once)"
	@$(SYNC) --no-dev || { $(SYNC_FAILED); }
	@echo "$(CURDIR)" >.venv/.place
	@touch $@

.venv/.dev: pyproject.toml uv.lock $(STALE)
	@tests/support/tools.sh "$(PYTHON)" $(UV_VERSION)
	@echo "installing citynerve and its tools into .venv (a minute, once)"
	@$(SYNC) || { $(SYNC_FAILED); }
	@echo "$(CURDIR)" >.venv/.place
	@touch $@ .venv/.runtime

stale:
	@rm -rf .venv

engines: venv-dev
	@tests/support/engines.sh

ifdef ARGS
test: engines
	@$(RUN)/pytest $(ARGS)
else
# Whole cities and timings run alone. Beside others on a busy machine a test may run out of its time: up to five that
# failed are judged again by themselves, once, and the first failure stays in the output.
test: engines
	@$(RUN)/pytest -n 2 --dist loadfile -m slow || $(AGAIN)
	@$(RUN)/pytest -m alone
	@$(RUN)/pytest -n 3 --dist loadfile -m "not slow and not alone" || $(AGAIN)
endif

check: venv-dev
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

format: venv-dev
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .

bench: engines
	@$(RUN)/python -m bench $(if $(ONLY),--only $(ONLY))

score: venv-dev
	@$(RUN)/python -m bench --scores $(if $(ONLY),--only score.$(ONLY))

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
