# Everything runs in .venv, which `make env` builds with uv (yours, or one bootstrapped into it).
# TORCH_INDEX=URL make env   takes torch from another index, for example a smaller CPU build.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
TORCH := 'torch==2.11.*' 'torchaudio==2.11.*'

.PHONY: env demo test test-long lint format lock docs bench-env clean

env: $(READY)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sovdeck needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make env PYTHON=python3.12" >&2; exit 2; }
	@if [ ! -x $(PY) ]; then \
	  if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$(PYTHON)" $(VENV); \
	  else $(PYTHON) -m venv $(VENV) || { echo "'$(PYTHON) -m venv' failed: install your system's python3-venv package, or uv." >&2; exit 2; }; fi; fi
	@command -v uv >/dev/null 2>&1 || test -x $(VENV)/bin/uv || { \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null; $(PY) -m pip install --quiet uv; }
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; export PATH VIRTUAL_ENV="$(CURDIR)/$(VENV)"; set -e; \
	  grep -v '^sovdeck' requirements.lock > $(VENV)/lock.txt; \
	  if [ -n "$(TORCH_INDEX)" ]; then \
	    uv pip install --index-url "$(TORCH_INDEX)" $(TORCH); \
	    grep -vE '^(torch|torchaudio|nvidia-|triton|cuda-)' requirements.lock > $(VENV)/lock.txt; \
	  fi; \
	  echo "Installing into $(VENV) (torch is large; this takes a few minutes) ..."; \
	  uv pip install --quiet -r $(VENV)/lock.txt; \
	  uv pip install --quiet --no-deps -e .
	@touch $(READY)

demo: env
	@$(VENV)/bin/sovdeck demo $(ARGS)

test: env
	@$(PY) -m pytest -n auto $(ARGS)

test-long: env
	@$(PY) -m pytest -m long $(ARGS)

lint: env
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@for f in remote/agent/*.sh; do [ -e "$$f" ] || continue; sh -n "$$f"; done

format: env
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

docs: env
	@PYTHONPATH=. $(PY) docs/make_parameters.py
	@PYTHONPATH=. $(PY) docs/make_schema.py
	@PYTHONPATH=. $(PY) docs/make_pictures.py

# Names and versions only: no index address is written.
lock:
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv pip compile pyproject.toml --all-extras --group dev --universal \
	  --python-version 3.11 --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock

# Peers that benchmarks/ measures beside us; rsync, lftp and OpenSSH come from your system.
bench-env: env
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; set -e; \
	  test -x .bench-venv/bin/python || uv venv --quiet --python "$(PYTHON)" .bench-venv; \
	  uv pip install --quiet --python .bench-venv/bin/python posting 'tree-sitter<0.26' terminalboard 'plotext<6'
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; set -e; \
	  test -x .bench-speech/bin/python || uv venv --quiet --python "$(PY)" .bench-speech; \
	  uv pip install --quiet --python .bench-speech/bin/python --no-deps \
	    gpt-sovits-cpufast==0.1.0 'numpy<2' einops; \
	  $(PY) -c 'import pathlib, sysconfig; p = sysconfig.get_path("purelib"); [(d / "torch_beside.pth").write_text(p) for d in pathlib.Path(".bench-speech").glob("lib/*/site-packages")]'
	@for tool in ssh scp sftp rsync lftp; do command -v $$tool >/dev/null || echo "not on this machine, its rows will be left out: $$tool"; done

clean:
	rm -rf $(VENV) .bench-venv .bench-speech build dist
