# Two commands matter: `make demo` plays the seed night, `make test` proves the house. Each does its own set-up.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
HOSPITALS ?= 3
# Instances that the field measures schedulers by; bench plan does without where they are absent.
PSPLIB ?= ../shared/data/psplib

.PHONY: demo test lint bench torture compiled plain setup setup-dev peers lock clean

demo: setup
	@echo "── the seed night: about two minutes; --keep leaves it running: $(BIN)/releve demo --keep"
	$(BIN)/releve demo --hospitals $(HOSPITALS)

test: setup-dev peers lint
	@echo "── tests (real nats-server, Chromium, upsd, python-hl7; no mocks)"
	$(BIN)/pytest -n auto
	@$(MAKE) --no-print-directory compiled
	@echo "── once more, what is compiled"
	$(BIN)/pytest -n auto tests/wire tests/translate tests/node tests/test_ids.py
	@$(MAKE) --no-print-directory plain

lint: setup-dev
	@echo "── ruff, mypy strict, the staircase"
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

# The long rounds; each prints its peer or physical limit beside the figure.
bench: setup-dev compiled
	$(BIN)/releve bench intake
	$(BIN)/releve bench chart
	$(BIN)/releve bench plan $(if $(wildcard $(PSPLIB)/best_known.json),--psplib $(PSPLIB))
	$(BIN)/releve bench forecast
	$(BIN)/releve bench battery

torture: setup-dev peers
	RELEVE_TORTURE=1 $(BIN)/pytest -n auto tests

# The way of a message as machine code, from the same source (mypyc), where there is a C compiler: a third less of
# its time. Remove it before editing what is compiled: what is compiled goes before what is written.
COMPILED := $(filter-out %/__init__.py,$(wildcard src/releve/translate/*.py)) src/releve/ids.py \
  $(addprefix src/releve/wire/hl7v2/,message.py escape.py charset.py) src/releve/node/intake.py
CC_THERE := $(BIN)/python -c 'import os, shutil, sysconfig as s; \
  raise SystemExit(not (shutil.which("cc") and os.path.exists(s.get_path("include") + "/Python.h")))'
compiled: setup-dev
	@$(CC_THERE) || sh tests/peers.sh gcc libc6-dev python3-dev
	@if $(CC_THERE); then echo "── compiling the way of a message (under a minute)"; \
	  cd src && MYPYPATH=. ../$(BIN)/mypyc --config-file ../pyproject.toml $(COMPILED:src/%=%) >../.venv/compiled.log 2>&1 \
	  && rm -rf build || { tail -20 ../.venv/compiled.log; exit 1; }; \
	else echo "── no C compiler here: the way of a message stays plain Python"; fi

plain:
	@find src -name '*.so' -delete; rm -rf src/build

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
PEERS := chromium libatomic1 nut-server openssh-server slapd unbound postgresql kamailio dovecot-imapd chrony snmpd
peers:
	@sh tests/peers.sh $(PEERS)

# Hashes without addresses, so that a lock says what, never from where.
lock:
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group setup pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build dist
