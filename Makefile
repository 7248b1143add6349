# What can be typed here; `make` alone lists it. Everything that is installed goes into .venv, and only `make test`,
# run by root on a machine with apt, adds system packages: the real browser, keyring and shells that the tests talk to.

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
JOBS ?= 3
OLDEST := .venv-oldest
# Where a library does the work: aiohttp and yarl, filelock, keyring, platformdirs, tomlkit, shtab, httpx, requests. What
# the other tests show, pure rules and what is built of these rooms, no version of a library changes.
REACHING_LIBRARIES := tests/adapters tests/clients tests/config tests/store tests/sandbox/test_running.py \
	tests/authorization/test_flow.py tests/authorization/test_hostile.py tests/authorization/test_redirects.py \
	tests/provider/test_http.py tests/tokens/test_renewal.py tests/tokens/test_together.py \
	tests/tokens/test_network.py tests/tokens/test_async_source.py tests/cli/commands/configure \
	tests/cli/commands/test_completion.py tests/cli/test_transcripts.py tests/cli/test_keyring.py tests/test_imports.py
oldest_versions = import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	needs = sum(project["optional-dependencies"].values(), project["dependencies"]); \
	print(*(need.replace(">=", "==") for need in needs))

# Sets $$python to the first interpreter that is new enough, or to nothing.
find_python = python=; for candidate in $(PYTHONS); do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then python=$$candidate; break; fi; done

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-oldest simulate bench lint types format clean system dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## see the whole story: log in, get a token, renew it, log out
	@$(BIN)/python tests/demo.py

test: system lint types ## install what the tests need, then lint, types and all tests (JOBS=3 at a time)
	@$(BIN)/pytest --quiet --numprocesses=$(JOBS)

test-oldest: ## what reaches a library, with the oldest versions of what we depend on
	@$(MAKE) --no-print-directory system dev VENV=$(OLDEST)
	@$(OLDEST)/bin/python -c '$(oldest_versions)' | xargs $(OLDEST)/bin/python -m pip install -qq
	@$(OLDEST)/bin/pytest --quiet --numprocesses=$(JOBS) $(REACHING_LIBRARIES)

simulate: $(DEV) ## play a million renewals in which everything goes wrong (SEEDS=0:1000000)
	@$(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),0:1000000)

bench: $(DEV) ## measure what things cost, and hold it to budgets
	@$(BIN)/python -m tests.bench

lint: $(DEV) ## check style and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo 'make format puts this right' >&2; exit 1; }

types: $(DEV) ## check types
	@$(BIN)/mypy --no-error-summary

format: $(DEV) ## put style and format right
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

clean: ## remove all that these targets have made
	@rm -rf $(VENV) $(OLDEST) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find withings_auth tests -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(find_python); \
	if [ -z "$$python" ]; then \
		echo 'No Python 3.11 or newer was found among: $(PYTHONS).' >&2; \
		echo 'Install one, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; fi; \
	echo "Creating $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) || { \
		rm -rf $(VENV); echo 'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(RUNTIME): pyproject.toml $(BIN)/python
	@echo 'Installing withings-auth and what it needs'
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

# Older versions of pip do not know dependency groups.
$(DEV): $(RUNTIME)
	@echo 'Installing what the tests need'
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -qq --group dev
	@touch $@

dev: $(DEV)

system:
	@missing=; needs() { command -v "$$1" >/dev/null || missing="$$missing $$2"; }; \
	command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || needs chromium chromium; \
	needs gnome-keyring-daemon gnome-keyring; needs dbus-daemon dbus; needs secret-tool libsecret-tools; \
	needs zsh zsh; needs fish fish; \
	if [ ! -x $(BIN)/python ]; then $(find_python); \
		if [ -n "$$python" ]; then $$python -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; fi; fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Not installed:$$missing. Tests that need them will be skipped." >&2; exit 0; fi; \
	echo "Installing with apt:$$missing"; \
	apt-get -qq update && \
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $$missing >/dev/null
