"""The places that list the detectors list the same ones."""

import ast
import importlib
import inspect
import pkgutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import ganad
from ganad import InputError, methods, registry
from ganad.bench import own_data

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


@pytest.fixture
def installed(monkeypatch):
    """Pretends that packages with these entry points are installed; forgets them, and what is added, afterwards."""

    def install(**entries: str) -> None:
        found = [EntryPoint(name, value, registry.GROUP) for name, value in entries.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        registry._installed.cache_clear()

    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.setattr(registry, "_plugins", set())
    yield install
    registry._installed.cache_clear()


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Writes a module that can be imported, and forgets it afterwards."""

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_what_is_public_and_what_has_a_type_are_the_same_names():
    assert set(declared()) == set(ganad.__all__)


def test_only_near_names_are_suggested():
    with pytest.raises(InputError, match=r"no method 'forest-of-xyz'; ganad methods lists all"):
        registry.get("forest-of-xyz")
    with pytest.raises(InputError, match="did you mean auto"):
        registry.get("autoo")


def test_names_that_differ_in_dashes_and_case_alone_are_two_claims_to_one(installed):
    installed(two_net="one:Net", **{"Two-Net": "other:Net"})
    with pytest.raises(InputError, match="two detectors are called 'Two-Net': one:Net and other:Net; uninstall"):
        registry.names()
    installed(two_net="one:Net [gpu]", **{"two-net": "one:Net"})
    assert registry.targets()["two_net"] == "one:Net"


def test_detectors_that_combine_others_keep_their_names(installed, written):
    installed(auto="other:Auto")
    with pytest.raises(InputError, match="two detectors are called 'auto'"):
        registry.names()
    installed()
    written("own_ensemble", "import ganad\n\n\nclass Ensemble(ganad.Detector):\n    pass\n")
    with pytest.raises(InputError, match="own_ensemble:Ensemble; rename the class"):
        registry.add("own_ensemble")


def test_a_broken_package_leaves_the_list_of_methods_readable(installed, written):
    written("crooked_two", "class Crooked(:\n")
    installed(gone="gone_with.it:Net", crooked="crooked_two:Crooked", kept="ganad.methods.vae:VAE")
    assert registry.summary("gone") == "(cannot be read: ModuleNotFoundError: No module named 'gone_with')"
    assert registry.summary("crooked").startswith("(cannot be read: SyntaxError: invalid syntax")
    assert registry.summary("kept") == registry.summary("vae")


def test_own_data_are_measured_without_the_methods_of_a_broken_package(installed, written, caplog):
    written("raises_at_once", "1 / 0\n")
    installed(raises="raises_at_once:Net", whole="own_net:Net [gpu]")
    hook = "    def build_table(self, d):\n        return {}\n"
    written("own_net", f"import ganad\n\n\nclass Net(ganad.NetworkDetector):\n{hook}")
    assert [recipe.label for recipe in own_data._outside("table", 3)] == ["Net"]
    (record,) = caplog.records
    assert "raises is left out: the detector raises_at_once:Net cannot be imported (ZeroDivisionError" in record.message


def test_a_module_that_is_not_python_is_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "crooked.py").write_text("class Crooked(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="'crooked' is not valid Python"):
        registry.add("crooked")


def test_a_module_that_fails_is_refused_each_time_in_a_sentence(installed, written, monkeypatch):
    installed()
    written("unfinished", "import ganad\n\n\nclass Net(ganad.Detector):\n    width: int = Undefined\n")
    monkeypatch.setenv(registry.PLUGINS, "unfinished")
    for _ in range(2):
        with pytest.raises(InputError, match=r"imported \(NameError: name 'Undefined' is not defined\); mend"):
            registry.names()
    written("unfinished", "import ganad\n\n\nclass Net(ganad.Detector):\n    fit: int = 1\n")
    with pytest.raises(InputError, match="the setting 'fit' hides Detector.fit; rename it"):
        registry.names()


@pytest.mark.parametrize("path", ["./my_methods", "my_methods.py", "folder/my_methods", "."])
def test_a_path_is_not_the_name_of_a_module(path):
    with pytest.raises(InputError, match="without path and .py"):
        registry.add(path)


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
