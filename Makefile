# Every target is a line of scripts/dev.py, so that systems without make have the same ones:
#   python scripts/dev.py demo
PYTHON ?= python3
TARGETS := setup demo test slow lint bench bench-paper speed docs lock audit dist pythons clean

.PHONY: help $(TARGETS)
help:
	@$(PYTHON) scripts/dev.py --help

$(TARGETS):
	@$(PYTHON) scripts/dev.py $@
