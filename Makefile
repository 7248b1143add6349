# `make` lists the targets. Everything is installed into .venv. Only `make test`, when root runs it on a machine with
# apt, also installs system packages: the real browser, keyring, database and shells that the tests talk to, and the
# languages of the examples. An SSH server would be open to the network at once: only CI and containers get that.

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
SUPPORTED := 3.14 3.13 3.12 3.11
PYTHONS := $(or $(PYTHON),python3 $(SUPPORTED:%=python%))
JOBS ?= 8
COVERAGE ?= $(CI)# costs a third of the time: measured in continuous integration, or by COVERAGE=1
OLDEST := .venv-oldest
PUBLISHED := .venv-published
PEERS := .venv-peers
# The tests of code that calls a library: aiohttp and yarl, cryptography, filelock, keyring, platformdirs, tomlkit,
# shtab, httpx and requests. The other tests, of pure rules and of what is built on these modules, depend on no version
# of a library.
TESTS_OF_LIBRARIES := tests/adapters tests/borrow/test_certificates.py tests/borrow/test_entrance.py \
	tests/borrow/test_proxy.py tests/borrow/test_running.py tests/clients tests/config tests/store \
	tests/sandbox/test_running.py tests/sandbox/test_server.py tests/authorization/test_flow.py \
	tests/authorization/test_hostile.py tests/authorization/test_redirects.py tests/testing/test_transports.py \
	tests/provider/http tests/tokens/renewal tests/tokens/test_network.py tests/tokens/source \
	tests/cli/commands/configure/test_config_file.py tests/cli/commands/configure/test_changes.py \
	tests/cli/commands/test_completion.py tests/cli/test_transcripts.py tests/cli/test_keyring.py tests/test_imports.py
oldest_versions = import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	needs = sum(project["optional-dependencies"].values(), project["dependencies"]); \
	print(*(need.partition(";")[0].replace(">=", "==") for need in needs))

# Sets $$python to the first interpreter that is new enough, or to an empty string.
find_python = python=; for candidate in $(PYTHONS); do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then python=$$candidate; break; fi; done

# Compiled modules are kept, whatever the environment says: the tests start thousands of processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all test-oldest simulate fuzz mutants bench dist lint types format clean system dev published

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## see it all: log in, get a token, renew it, log out
	@$(BIN)/python tests/demo.py

test: system published lint types ## install what the tests need; check style, types and all tests (JOBS=8)
ifeq ($(COVERAGE),)
	@$(BIN)/pytest --quiet --numprocesses=$(JOBS) --dist=worksteal
else
	@rm -rf .coverage
	@$(BIN)/coverage run -m pytest --quiet --numprocesses=$(JOBS) --dist=worksteal
	@$(BIN)/coverage combine --quiet && rm -f .coverage/data.* # left by processes that were killed while they wrote
	@$(BIN)/coverage report
endif

test-all: ## run `make test` with each CPython that is found, from 3.11 to 3.14
	@passed=; failed=; absent=; for version in $(SUPPORTED); do \
		if ! python$$version -c 'import sys; sys.exit(sys.implementation.name != "cpython")' 2>/dev/null; \
		then absent="$$absent $$version"; continue; fi; \
		echo "== Python $$version"; \
		if $(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=python$$version; \
		then passed="$$passed $$version"; else failed="$$failed $$version"; fi; \
	done; \
	echo "== passed:$${passed:- none}; failed:$${failed:- none}; not found:$${absent:- none}"; \
	[ -n "$$passed" ] && [ -z "$$failed" ]

test-oldest: ## run the tests of code that calls a library with the oldest supported versions
	@$(MAKE) --no-print-directory system dev VENV=$(OLDEST)
	@$(OLDEST)/bin/python -c '$(oldest_versions)' | xargs $(OLDEST)/bin/python -m pip install -qq
	@$(OLDEST)/bin/pytest --quiet --numprocesses=$(JOBS) --dist=worksteal $(TESTS_OF_LIBRARIES) \
		--ignore=tests/store/postgresql/test_hundred.py --deselect=tests/store/postgresql/test_sealed.py::TestSealedPostgres

simulate: $(DEV) ## simulate a million renewals in which everything goes wrong (SEEDS=0:1000000)
	@$(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),0:1000000)
	@$(BIN)/python -m tests.simulation.run --server --seeds $(or $(SEEDS),0:100000)

fuzz: $(DEV) ## try random input on everything that reads text from outside (EXAMPLES=20000, SEED=1)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/pytest --quiet --numprocesses=$(JOBS) --timeout=86400 \
		$(if $(SEED),--hypothesis-seed=$(SEED)) $(wildcard tests/test_*_fuzz.py tests/*/test_*_fuzz.py tests/*/*/test_*_fuzz.py)

mutants: $(DEV) ## make a small mistake in each line that must be right, and see a test fail (ROOMS='callback journal')
	@$(BIN)/python -m tests.mutants.run $(ROOMS)

bench: $(DEV) $(PEERS)/.installed ## measure speed beside others' (ARGS=--readme for the README's table)
	@$(BIN)/python -m tests.bench $(ARGS)

dist: system $(DEV) ## build the last commit's wheel and sdist into dist, and try both as their users have them
	@$(BIN)/python -m pip install -qq --group release
	@$(BIN)/python -m tests.release --jobs $(JOBS)

lint: $(DEV) ## check style and layout
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo 'to fix the layout: make format' >&2; exit 1; }

types: $(DEV) ## check types, of the package also for Windows and macOS
	@$(BIN)/mypy --no-error-summary & here=$$!; failed=; for platform in win32 darwin; do \
		$(BIN)/mypy --no-error-summary --no-warn-unreachable --platform $$platform \
			--cache-dir .mypy_cache/$$platform withings_auth || failed=1; done; \
	wait $$here && [ -z "$$failed" ]

format: $(DEV) ## fix style and layout
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

clean: ## remove everything that these targets create
	@rm -rf $(VENV) $(OLDEST) $(PUBLISHED) $(PEERS) .venv-3.* .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find withings_auth tests -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(find_python); \
	if [ -z "$$python" ]; then \
		echo 'Found no Python 3.11 or newer among: $(PYTHONS).' >&2; \
		echo 'Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; fi; \
	echo "Creating $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) || { \
		rm -rf $(VENV); echo 'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(RUNTIME): pyproject.toml $(BIN)/python
	@echo 'Installing withings-auth and its dependencies'
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

# Older versions of pip know no dependency groups.
$(DEV): $(RUNTIME)
	@echo 'Installing what the tests need'
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -qq --group dev
	@touch $@

dev: $(DEV)

# Each program in an environment of its own, as its users have it. Most of them ask for Python 3.12 or 3.13 but run with
# 3.11 too, which is all that Debian 12 has, so their wish is ignored. Each line of the list is a pin.
define install_each
	@rm -rf $(@D)
	@xargs -P $(JOBS) -n 1 sh -c 'environment=$(@D)/$${0%%=*}; $(BIN)/python -m venv --without-pip $$environment \
		&& $(BIN)/python -m pip --python $$environment install -qq --ignore-requires-python $$0' < $<
	@cp $< $@
endef

$(PUBLISHED)/.installed: tests/borrow/published/pins.txt | $(DEV)
	@echo 'Installing the published programs that the tests run'
	$(install_each)

$(PEERS)/.installed: tests/bench/peers.txt | $(DEV)
	@echo 'Installing the libraries that `make bench` measures beside this one'
	$(install_each)

published: $(PUBLISHED)/.installed ## install the published programs that the tests run on a shared login

system:
	@missing=; needs() { command -v "$$1" >/dev/null || missing="$$missing $$2"; }; \
	command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || needs chromium chromium; \
	needs gnome-keyring-daemon gnome-keyring; needs dbus-daemon dbus; needs secret-tool libsecret-tools; \
	needs zsh zsh; needs fish fish; needs cc 'gcc libc6-dev'; needs curl curl; needs jq jq; \
	needs node nodejs; needs php php-cli; \
	[ -n "$(wildcard /usr/lib/postgresql/*/bin/postgres)" ] || needs postgres postgresql; needs pgbouncer pgbouncer; \
	needs go golang-go; needs systemd-analyze systemd; needs openssl openssl; needs ssh openssh-client; \
	[ -x /usr/sbin/sshd ] || { [ -z "$$CI" ] && [ -d /run/systemd/system ]; } || needs sshd openssh-server; \
	if [ ! -x $(BIN)/python ]; then $(find_python); \
		if [ -n "$$python" ]; then $$python -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; fi; fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Not installed:$$missing. The tests that need them are skipped." >&2; exit 0; fi; \
	echo "Installing with apt:$$missing"; \
	apt-get -qq update && \
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $$missing >/dev/null
