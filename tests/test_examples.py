"""Examples run, and stay short."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import ganad

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", ["images.py", "table.py"])
def test_example_runs(name):
    assert len((EXAMPLES / name).read_text().splitlines()) < 40
    done = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "AUROC" in done.stdout


def test_the_notebook_runs_and_is_kept_without_outputs(tmp_path):
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in code for output in cell.outputs]
    assert any("AUROC" in output.get("text", "") for output in shown)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert ganad.load(tmp_path / "digits.safetensors", device="cpu").history_
    assert "<html" in (tmp_path / "report.html").read_text()
