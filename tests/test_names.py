"""The places that list the detectors list the same ones."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import ganad
from ganad import InputError, methods, registry

TARGETS = set(registry.BUILT_IN.values())
CLASSES = {target.partition(":")[2] for target in TARGETS}


def declared() -> dict[str, str]:
    """The names that type checkers see in the package, with the module that each comes from."""
    body = ast.parse(Path(ganad.__file__).read_text("utf-8")).body
    (block,) = (node for node in body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    found: dict[str, str] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"ganad.{node.module}" for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = "ganad"
    return found


def defined() -> set[type]:
    """Every detector that a file of the methods' room defines."""
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(methods.__path__, "ganad.methods.")]
    return {
        cls
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls) and issubclass(cls, ganad.Detector) and cls.__module__ == module.__name__
    }


def lacks(cls: type) -> set[str]:
    """The hooks that a class still has to write: those that do nothing but raise NotImplementedError."""
    hooks = inspect.getmembers(cls, inspect.isfunction)
    found = {name for name, hook in hooks if "NotImplementedError" in hook.__code__.co_names}
    return found - {"training_step"}  # a method with stages has steps of other names


def test_what_is_public_and_what_has_a_type_are_the_same_names():
    assert set(declared()) == set(ganad.__all__)


def test_only_near_names_are_suggested():
    with pytest.raises(InputError, match=r"no method 'forest-of-xyz'; ganad methods lists all"):
        registry.get("forest-of-xyz")
    with pytest.raises(InputError, match="did you mean auto"):
        registry.get("autoo")


def test_a_module_that_is_not_python_is_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "crooked.py").write_text("class Crooked(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="'crooked' is not valid Python"):
        registry.add("crooked")


def test_the_detectors_among_them_are_those_of_the_registry():
    typed = {f"{module}:{name}" for name, module in declared().items() if module.startswith("ganad.methods.")}
    assert typed == TARGETS
    assert set(ganad.__all__) >= CLASSES


def test_names_types_and_values_are_one_class():
    for name, module in declared().items():
        if module != "ganad":
            assert getattr(ganad, name) is getattr(importlib.import_module(module), name)
    assert [registry.target_of(cls) for cls in ganad.DETECTORS] == list(registry.BUILT_IN.values())


def test_every_method_that_is_whole_is_in_the_table():
    # one that others build on may be a base alone; one that none builds on has no other use than to be called
    bases = {base for cls in defined() for base in cls.__mro__[1:]}
    whole = {cls for cls in defined() if cls not in bases or not lacks(cls)}
    assert {registry.target_of(cls) for cls in whole} == TARGETS


def test_a_base_is_not_whole():
    assert lacks(ganad.Detector) and lacks(ganad.NetworkDetector)
