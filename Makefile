# Two commands, each alone on a fresh clone: `make demo` and `make test`.
# They need python3 (3.11 or newer) with venv, and make; everything else they fetch.
.DEFAULT_GOAL := help
.PHONY: demo serve test long check fix format lint types imports contract schema pins help machine

PYTHON ?= python3
BIN := .venv/bin
PINS := tests/constraints.txt
WORKERS ?= 4

demo: .venv/app  ## run the demo community with a fake WeChat, and say who can log in
	$(BIN)/minyi demo

serve: .venv/app  ## serve with the settings in var/minyi.env (see `minyi secrets`)
	$(BIN)/minyi serve

test: .venv/dev machine  ## run the whole suite on SQLite and on PostgreSQL
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

long: .venv/dev machine  ## run the machines and the replay of the law far longer, for a night
	MINYI_LIVE_RUNS=500 MINYI_LIVE_EVENTS=100000 MINYI_POLL_RUNS=500 MINYI_LAW_WHOLE=1 $(BIN)/pytest \
	  tests/properties/test_live_machine.py tests/properties/test_live_tenants.py \
	  tests/properties/test_poll_machine.py tests/journeys/test_replay_law.py

check: format lint types imports contract schema test  ## everything that a change must pass

fix: .venv/dev  ## format, and fix what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

format: .venv/dev  ## is everything formatted
	$(BIN)/ruff format --check .

lint: .venv/dev  ## ruff
	$(BIN)/ruff check .

types: .venv/dev  ## basedpyright
	$(BIN)/basedpyright

imports: .venv/dev  ## who may import whom
	$(BIN)/lint-imports

contract: .venv/dev  ## is client-spec/ what the program does (`minyi contract` writes it)
	$(BIN)/minyi contract --check

schema: .venv/dev  ## do the migrations make the tables of the models
	$(BIN)/pytest -q tests/api/test_migrations.py -k "as_the_models"

pins: .venv/dev  ## write the pins again, with the newest releases older than a week
	$(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install -q uv
	.venv/uv/bin/uv pip compile --quiet --upgrade --extra dev --universal --python-version 3.11 \
	  --exclude-newer "$$(date -u -d '7 days ago' +%Y-%m-%dT00:00:00Z)" \
	  --no-header --no-annotate pyproject.toml -o $(PINS)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- what the targets stand on ---------------------------------------------------------------

# One file each says that the environment holds what pyproject.toml and the pins ask for.
.venv/app: pyproject.toml $(PINS)
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c $(PINS) -e .
	@touch $@

.venv/dev: pyproject.toml $(PINS)
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c $(PINS) -e '.[dev]'
	@touch .venv/app $@

# PostgreSQL, a browser and a Chinese font come from apt where we may; else those tests are skipped
# and listed at the end.
machine:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then .ci/machine; fi
