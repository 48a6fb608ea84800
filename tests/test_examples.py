"""Examples run, and stay short."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", ["images.py", "table.py"])
def test_example_runs(name):
    assert len((EXAMPLES / name).read_text().splitlines()) < 40
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "AUROC" in done.stdout
