"""The examples in the docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import ganad

ROOT = Path(ganad.__file__).parent
MODULES = [
    ".".join(("ganad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed  # doctest prints what it got


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("calibrate", "hold_out p_values least_samples threshold select"),
        (
            "metrics",
            "auroc average_precision pr_area_trapezoid n_flagged_at flag_top rates_at rates_above f1_from "
            "balanced_accuracy class_accuracies prevalence lowest_pr_area summary mean_median_sd",
        ),
        ("explain", "ranked"),
        ("settings", "parse"),
        ("protocols", "split"),
        ("migrations", "upgraded"),
        ("registry", "get name_of"),
    ],
)
def test_a_function_for_users_has_an_example(module, names):
    found = importlib.import_module(f"ganad.{module}")
    assert [name for name in names.split() if ">>> " not in (getattr(found, name).__doc__ or "")] == []
