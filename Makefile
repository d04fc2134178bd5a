# Two commands matter: `make demo` plays the seed night, `make test` proves the house. Each does its own set-up.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
HOSPITALS ?= 3
# Instances that the field measures schedulers by; bench plan does without where they are absent.
PSPLIB ?= ../shared/data/psplib

.PHONY: demo test lint bench torture setup setup-dev peers lock clean

demo: setup
	@echo "── the seed night: about two minutes; --keep leaves it running: $(BIN)/releve demo --keep"
	$(BIN)/releve demo --hospitals $(HOSPITALS)

test: setup-dev peers lint
	@echo "── tests (real nats-server, Chromium, upsd, python-hl7; no mocks)"
	$(BIN)/pytest -n auto

lint: setup-dev
	@echo "── ruff, mypy strict, the staircase"
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

# The long rounds; each prints its peer or physical limit beside the figure.
bench: setup-dev
	$(BIN)/releve bench intake
	$(BIN)/releve bench chart
	$(BIN)/releve bench plan $(if $(wildcard $(PSPLIB)/best_known.json),--psplib $(PSPLIB))
	$(BIN)/releve bench forecast

torture: setup-dev peers
	RELEVE_TORTURE=1 $(BIN)/pytest -n auto tests

setup: .venv/.set-up

setup-dev: .venv/.set-up-dev

.venv/.set-up: requirements.lock pyproject.toml
	@echo "── set-up: virtual environment and the pinned packages (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Relève needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 demo"; exit 2; }
	@$(PYTHON) -m venv .venv || { echo "Python cannot make a virtual environment here. On Debian or Ubuntu: apt install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.venv/.set-up-dev: requirements-dev.lock .venv/.set-up
	@echo "── set-up: the tools of the tests"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# The real peers of the tests come from the distribution; nothing is asked for when they are there already.
# libatomic1 is for the browser driver that Playwright brings.
PEERS := chromium libatomic1 nut-server slapd unbound postgresql kamailio dovecot-imapd chrony snmpd
peers:
	@sh tests/peers.sh $(PEERS)

# Hashes without addresses, so that a lock says what, never from where.
lock:
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group setup pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build dist
