"""Every public module imports with the core alone: the extras are looked for only where they are used."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

IMPORT_ALL = """
import importlib, pkgutil, sys

class NoExtras:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ImportError(f"{name} is an extra")

sys.meta_path.insert(0, NoExtras())
import ganad
names = [m.name for m in pkgutil.walk_packages(ganad.__path__, "ganad.")]
on_the_web = ("app", "board", "html", "http_heads", "live", "meters", "middleware", "receiving")
in_databases = ("database", "monitor", "store", "tables")
of_extras = {"ganad.mixture.kernels", *(f"ganad.serve.{m}" for m in on_the_web)}  # imported where used
of_extras |= {f"ganad.history.{m}" for m in in_databases}
for name in set(names) - of_extras:
    importlib.import_module(name)
print(len(names))
"""


def test_every_module_imports_without_the_extras():
    extras = "numba,onnx,onnxscript,onnxruntime,playwright,hypothesis,pytest,psutil,pandas,matplotlib,torchvision"
    extras += ",fastapi,starlette,uvicorn,prometheus_client,httpx,tensorboard,sqlalchemy,psycopg,watchfiles"
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, extras], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


def test_data_and_page_do_not_import_torch():
    code = (
        "import sys, ganad.data, ganad.report_page, ganad.metrics, ganad.protocols, ganad.published, ganad.calibrate\n"
    )
    code += "assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {d.partition(">=")[0].partition("[")[0].lower() for d in wanted} - {"ganad"}
    assert names - pins == set()
