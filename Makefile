# The two commands a newcomer needs are `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin

# How long `make fuzz` tries each target, in seconds.
SECONDS ?= 20

.PHONY: help install run test check fuzz bench picture samples console lock format clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: .venv/.runtime ## make .venv and install Keyturn from the lock

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Keyturn needs Python 3.11, 3.12 or 3.13; this is %d.%d. Say: make PYTHON=python3.12" % sys.version_info[:2] if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python requirements/runtime.txt pyproject.toml client/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable ./client --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt tests/plugins/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable tests/plugins
	@touch $@

# The reference's own command, which tests run as its users do; its pins suit no environment of ours.
.venv/.tfy: .venv/.runtime requirements/tfy.txt
	test -x .venv/tfy/bin/python || $(PYTHON) -m venv .venv/tfy
	.venv/tfy/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tfy.txt
	@touch $@

# A real OpenID provider, for its tests alone; where there is no npm they are skipped.
.venv/.oidc: .venv/bin/python tests/oidc/package.json tests/oidc/package-lock.json
	@mkdir -p .venv/oidc && cp tests/oidc/package.json tests/oidc/package-lock.json .venv/oidc/
	@if command -v npm >/dev/null && (cd .venv/oidc && npm ci --silent --no-audit --no-fund); then touch $@; else echo 'Without npm and its registry the tests against a real OpenID provider are skipped.'; fi

run: install ## start Keyturn with a demo: one account, turned every 60 s
	$(BIN)/keyturn up --demo

test: .venv/.dev .venv/.tfy .venv/.oidc ## the whole test suite, on all cores
	$(BIN)/pytest --numprocesses auto --dist worksteal

check: .venv/.dev ## the gates: style, types, layers, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/.fuzz: .venv/.dev requirements/fuzz.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

fuzz: .venv/.fuzz ## atheris over whatever reads a stranger's bytes; SECONDS=20 for each
	$(BIN)/python -m tests.fuzz $(SECONDS)

bench: .venv/.dev ## measure against limits in the same run; writes docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

picture: .venv/.dev ## draw docs/pictures/demo.svg from what the demo shows in a terminal
	$(BIN)/python -m tests.pictures

samples: .venv/.dev ## render docs/notifiers/samples: every notice in every medium (pictures need chromium)
	$(BIN)/python -m tests.notice_samples

console: .venv/.dev ## take the pictures in docs/console, of a demo (needs chromium)
	$(BIN)/python -m tests.console_pictures

format: .venv/.dev ## put the code into its one shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve the lock files anew (needs uv, and npm)
	cd tests/oidc && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' --no-emit-package keyturn-client --extra all --group dev pyproject.toml --output-file requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' --no-emit-package keyturn-client --extra all --constraints requirements/dev.txt pyproject.toml --output-file requirements/runtime.txt
	printf 'truefoundry==0.17.5\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' - --output-file requirements/tfy.txt
	printf "atheris<3.1; python_version < '3.12'\natheris>=3.1; python_version >= '3.12'\n" | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' - --output-file requirements/fuzz.txt
	printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' --constraints requirements/dev.txt - --output-file requirements/build.txt

clean: ## remove what was built
	rm -rf .venv build dist
