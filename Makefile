# Each target makes .venv and installs what it needs from nothing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lab clean

demo: .venv/.installed
	$(BIN)/python -m w3an_lite demo --out runs/demo

test: .venv/.installed-test
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest --nbval notebooks

lab: .venv/.installed
	$(BIN)/python -m jupyter lab --notebook-dir=. notebooks/00_start_here.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e .
	touch $@

.venv/.installed-test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@ .venv/.installed

clean:
	rm -rf .venv
