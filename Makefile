# The whole project in a few commands.
# Everything that they need is installed on first use: Debian packages (as root or with sudo) and a virtual environment.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One process more than there are processors, because tests of readers and of workers often wait.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')
PYTEST := $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal

# What a bare Debian lacks. pcscd and vpcd: the PC/SC service and its virtual readers; swig, gcc and headers: pyscard is
# built from source; opensc, openssl: independent programs that the tests hold our cards and signatures against; fonts: for
# captions and card faces, the second one for rare characters; softhsm2: a PKCS#11 token without hardware; postgresql: the
# database of offices with several stations.
PACKAGES := python3-venv python3-dev gcc libc6-dev swig libpcsclite-dev pcscd vsmartcard-vpcd opensc openssl \
	fonts-wqy-microhei fonts-babelstone-han softhsm2 postgresql

.PHONY: help issue test coverage lint bench fuzz kill demo-services setup clean
.DEFAULT_GOAL := help

help:
	@echo "make issue   issue the example applications on virtual cards, into build/issued"
	@echo "make test    run all tests, the real PC/SC service with virtual readers included"
	@echo "make coverage   the same, and which part of the code they reach; fails below 95 %"
	@echo "make lint    style, types, import contracts"
	@echo "make bench   speed, as ratios against a peer or a raw floor"
	@echo "make fuzz    a million mutated tokens, commands and answers each"
	@echo "make kill    500 cards on four readers while their stations are killed 200 times, on both databases"
	@echo "make demo-services   one card on its way through hospital, bus and library, against systems on this machine"
	@echo "make clean   remove what was built"

issue: setup
	$(BIN)/juying issue examples/applications.csv --out build/issued

test: setup
	$(PYTEST)

coverage: setup
	$(PYTEST) --cov

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup $(VENV)/.bench
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

fuzz: setup
	@for target in credential commands answers; do $(BIN)/python -m tests.fuzz.$$target --count 1000000 || exit 1; done

kill: setup
	@$(BIN)/python -m tests.kill.scenario --orders 500 --kills 200

demo-services: setup
	@$(BIN)/python -m tests.peers.demo

setup: build/.packages $(VENV)/.installed

build/.packages: Makefile
	@mkdir -p build
	@missing=$$(for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then root=; else root=sudo; fi; \
	    $$root apt-get update -qq && \
	    $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@touch $@

$(VENV)/.installed: setup.cfg pyproject.toml build/.packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip >= 24'
	$(BIN)/python -m pip install --quiet --editable '.[hsm,office,scan,services,sm,wallet,test,lint]'
	@touch $@

$(VENV)/.bench: setup.cfg $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

clean:
	rm -rf build $(VENV) *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
