"""The house as docs/design.md draws it: imports point one way, and rooms that must not know each other do not."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import ganad

ROOT = Path(ganad.__file__).parent
FILES = {
    ".".join(("ganad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imported(module: str) -> set[str]:
    """What a file imports, anywhere in it: in functions and for types alone as well; our own modules by file."""
    path, found = FILES[module], set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            names = {f"{source}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else source for name in names}
    return found - {module}


GRAPH = {module: imported(module) for module in FILES}


def reached(room: str) -> set[str]:
    """All that the files of a room import, at first hand and further on inside the package."""
    waiting = [m for m in FILES if m == room or m.startswith(f"{room}.")]
    seen = set(waiting)
    while waiting:
        new = GRAPH.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += [m for m in new if m in FILES]
    return seen


def test_no_file_is_reached_from_itself():
    own = {module: {m for m in names if m in FILES} for module, names in GRAPH.items()}
    try:
        graphlib.TopologicalSorter(own).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("room", "never"),
    [
        *(
            (f"ganad.{room}", "torch")
            for room in ("data", "report_page", "metrics", "protocols", "published", "calibrate", "history")
        ),
        *(
            (f"ganad.{room}", "ganad.detector")
            for room in ("data", "report_page", "metrics", "protocols", "published", "history")
        ),
        *((f"ganad.{room}", "ganad.detector") for room in ("training", "nets", "mixture", "files", "explain")),
        ("ganad.settings", "torch"),
        ("ganad.detector", "ganad.methods"),
        ("ganad.detector", "ganad.registry"),
        ("ganad.methods", "ganad.cli"),
        ("ganad.bench", "ganad.cli"),
        ("ganad.bench", "ganad.scale"),
        ("ganad.bench", "ganad.figures"),
        ("ganad.figures", "ganad.cli"),
        ("ganad.scale", "ganad.cli"),
        ("ganad.training", "ganad.scale"),
        ("ganad.serve", "ganad.cli"),
        ("ganad.watching", "ganad.cli"),
        ("ganad.watching", "ganad.serve"),
    ],
)
def test_a_room_never_reaches(room, never):
    assert not sorted(m for m in reached(room) if m == never or m.startswith(f"{never}."))


def test_matplotlib_is_imported_in_its_room_alone():
    imports = re.compile(r'(import|from) matplotlib|import_module\("matplotlib')
    users = [module for module, path in FILES.items() if imports.search(path.read_text("utf-8"))]
    assert users and all(module.startswith("ganad.figures.") for module in users)


def test_ray_is_imported_in_its_room_alone():
    imports = re.compile(r'import ray\b|from ray\b|import_module\("ray')
    users = [module for module, path in FILES.items() if imports.search(path.read_text("utf-8"))]
    assert users and all(module.startswith("ganad.scale.") for module in users)
