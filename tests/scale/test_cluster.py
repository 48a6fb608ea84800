"""Three simulated nodes, workers that are killed and a node that goes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.ray
@pytest.mark.slow
def test_killed_workers_and_a_lost_node_change_no_file(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--simulate", "60", "--output"]
    done = subprocess.run([*command, str(tmp_path / "rows.json")], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "rows.json").read_text())["simulated"]
    assert found["equal"] and found["nodes"] == 3 and found["killed"] >= 1 and found["parts"] == 60
    assert found["unreadable"] == 0
