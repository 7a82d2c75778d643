# Everything runs in .venv, which `make env` builds with uv (yours, or one bootstrapped into it).
# TORCH_INDEX=URL make env   takes torch from another index, for example a smaller CPU build.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
TORCH := 'torch==2.11.*' 'torchaudio==2.11.*'

# Some systems forbid Python to keep compiled modules: each of the hundreds of programs that tests
# start would then compile everything again. They are kept out of the tree.
export PYTHONDONTWRITEBYTECODE =
export PYTHONPYCACHEPREFIX = $(CURDIR)/$(VENV)/pycache

# Two a core: half of the tests' time is waiting for servers, screens and processes.
WORKERS = $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

# Type checkers and import-linter read no __path__ that a program computes: they get a folder that
# looks like the installed package.
LINKS := $(VENV)/links
LINK = mkdir -p $(LINKS)/sovdeck; : > $(LINKS)/sovdeck/__init__.py; \
  for p in tui remote engine; do ln -sfn "$(CURDIR)/$$p" $(LINKS)/sovdeck/$$p; done

# Every folder's fixtures are a module called conftest: a link a folder gives the type checker names.
CONFTESTS := $(LINKS)/conftests
LINK_CONFTESTS = rm -rf $(CONFTESTS); mkdir -p $(CONFTESTS); for f in $$(find tests -name conftest.py); do \
  ln -s "$(CURDIR)/$$f" $(CONFTESTS)/$$(echo $$f | tr / _); done

# What the tests import is compiled once: workers that start together would each compile it all.
# Whatever cannot be imported is told by the tests themselves.
COMPILED := $(VENV)/.compiled
$(COMPILED): $(READY)
	@$(PY) -m pytest --collect-only -q >/dev/null || :
	@touch $(COMPILED)

GPU_REPORT ?= gpu_report.json

.DEFAULT_GOAL := help
.PHONY: help env demo test test-long test-gpu zoo proof rent-proof rehearsal lint format lock docs docs-pages docs-site \
  release-check laptop-check bench-env clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(READY)  ## build .venv with everything sovdeck and its tests need (several GB with CUDA's torch)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sovdeck needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make env PYTHON=python3.12" >&2; exit 2; }
	@if [ ! -x $(PY) ]; then \
	  if command -v uv >/dev/null 2>&1; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	  else $(PYTHON) -m venv $(VENV) || { echo "'$(PYTHON) -m venv' failed: install your system's python3-venv package, or uv." >&2; exit 2; }; fi; fi
	@command -v uv >/dev/null 2>&1 || test -x $(VENV)/bin/uv || { \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null; $(PY) -m pip install --quiet uv; }
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; export PATH VIRTUAL_ENV="$(CURDIR)/$(VENV)"; set -e; \
	  grep -v '^sovdeck' requirements.lock > $(VENV)/lock.txt; \
	  index="$$(TORCH_INDEX="$(TORCH_INDEX)" $(PY) dev/torch_index.py)"; \
	  echo "Installing into $(VENV); torch is large, so this takes a few minutes ..."; \
	  if [ -n "$$index" ]; then \
	    uv pip install --index-url "$$index" $(TORCH); \
	    grep -vE '^(torch|torchaudio|nvidia-|triton|cuda-)' requirements.lock | grep -v '^sovdeck' > $(VENV)/lock.txt; \
	  fi; \
	  uv pip install -r $(VENV)/lock.txt; \
	  uv pip install --quiet --no-deps -e .
	@touch $(READY)

demo: env  ## train a tiny voice on this computer over real SSH
	@$(VENV)/bin/sovdeck demo $(ARGS)
	@echo 'Next, with a server of your own: $(VENV)/bin/sovdeck server add "ssh -p PORT root@HOST" --name gpu' >&2

test: env $(COMPILED)  ## the tests (minutes)
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-long: env $(COMPILED)  ## the long tests: kills, whole trips, many processes
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "long and not gpu" --timeout 1200 $(ARGS)

# With an image's own Python and torch, and pytest beside them: make test-gpu PY=python3 GPU_ENV=
GPU_ENV ?= env
test-gpu: $(GPU_ENV)  ## the suite for one card (under 8 minutes); JSON into GPU_REPORT
	@PYTHONPATH=dev SOVDECK_GPU_REPORT=$(GPU_REPORT) \
	  $(PY) -m pytest -c tests/gpu/pytest.ini --confcutdir tests/gpu tests/gpu -m gpu $(ARGS)

zoo: env  ## kinds of rented servers: what each says at server add, doctor, deploy, train (needs root)
	@PYTHONPATH=dev $(PY) tests/zoo

proof: env  ## every promise tried under fire, as a table (minutes; ARGS=--quick for three)
	@PYTHONPATH=dev REQUIRE_SSHD=1 $(PY) tests/proof $(ARGS)

rehearsal: env  ## the whole trip at full size with stand-ins for the weights (10 minutes, 20 GB)
	@PYTHONPATH=dev $(PY) tests/rehearsal $(ARGS)

rent-proof: env  ## a thousand journeys of renting with faults, on simulated providers
	@PYTHONPATH=dev:tests/remote/rent $(PY) tests/remote/rent/rent_proof.py $(ARGS)

# Tests import their helpers by plain names, as pytest lets them.
TEST_FOLDERS = $(shell find tests -type d ! -name __pycache__ | paste -sd: -)
TEST_MODULES = $(shell find tests -name '*.py' ! -name conftest.py ! -name __main__.py)

lint: env  ## ruff, mypy, import contracts, shell syntax
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(LINK); $(VENV)/bin/mypy
	@$(LINK_CONFTESTS); MYPYPATH=$(LINKS):$(TEST_FOLDERS) \
	  $(VENV)/bin/mypy --config-file tests/mypy.ini $(TEST_MODULES) $(CONFTESTS)/*.py
	@PYTHONPATH=$(LINKS) $(VENV)/bin/lint-imports
	@for f in remote/agent/*.sh; do [ -e "$$f" ] || continue; sh -n "$$f"; done

format: env  ## rewrite the code as the formatter wants it
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

docs: docs-pages  ## make the generated pages and pictures anew
	@PYTHONPATH=dev $(PY) docs/make_pictures.py

docs-pages: env  ## make the generated pages anew
	@for page in parameters schema deploy_toml troubleshooting; do PYTHONPATH=dev $(PY) docs/make_$$page.py; done

docs-site: env  ## build the documentation's site in build/site, English and Chinese
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --config-file mkdocs.yml
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --config-file mkdocs.zh.yml

release-check: env  ## build what would be published, install it as a stranger would, run the demo from it
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) dev/release_check.py $(ARGS)

# Without `env`, whose torch no laptop needs: uv alone has to be there.
laptop-check:  ## the same without the demo, for each Python 3.11-3.13 on this machine
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PYTHON) dev/release_check.py --no-demo

# Names and versions only: no index address is written.
lock:  ## write requirements.lock from pyproject.toml
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv pip compile pyproject.toml --all-extras --group dev --universal \
	  --python-version 3.11 --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock

# Peers that benchmarks/ measures beside us; rsync, lftp and OpenSSH come from your system.
bench-env: env  ## install the peers that benchmarks/ measures beside us
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; set -e; \
	  test -x .bench-venv/bin/python || uv venv --quiet --python "$(PYTHON)" .bench-venv; \
	  uv pip install --quiet --python .bench-venv/bin/python posting 'tree-sitter<0.26' terminalboard 'plotext<6'
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; set -e; \
	  test -x .bench-speech/bin/python || uv venv --quiet --python "$(PY)" .bench-speech; \
	  uv pip install --quiet --python .bench-speech/bin/python --no-deps \
	    gpt-sovits-cpufast==0.1.0 'numpy<2' einops; \
	  $(PY) -c 'import pathlib, sysconfig; p = sysconfig.get_path("purelib"); [(d / "torch_beside.pth").write_text(p) for d in pathlib.Path(".bench-speech").glob("lib/*/site-packages")]'
	@for tool in ssh scp sftp rsync lftp; do command -v $$tool >/dev/null || echo "not on this machine, its rows will be left out: $$tool"; done

clean:  ## remove every environment and build
	rm -rf $(VENV) .bench-venv .bench-speech build dist
