"""Names of the detectors and their classes: built-in ones, those of installed packages and those of named modules.

Listing and completing names imports neither torch nor a method. Another package adds a detector with an entry point::

    [project.entry-points."ganad.detectors"]
    wgan = "ganad_wgan:WGAN"
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import inspect
import os
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .display import shown
from .errors import InputError

if TYPE_CHECKING:
    from .detector import Detector

GROUP = "ganad.detectors"
PLUGINS = "GANAD_PLUGINS"  #: environment variable: modules that define detectors, separated by commas

#: Name of a detector on the command line -> module and class.
BUILT_IN = {
    "adgan": "ganad.methods.adgan:ADGAN",
    "alad": "ganad.methods.alad:ALAD",
    "anogan": "ganad.methods.anogan:AnoGAN",
    "autoencoder": "ganad.methods.autoencoder:AutoEncoder",
    "dagmm": "ganad.methods.dagmm:DAGMM",
    "deep-svdd": "ganad.methods.deep_svdd:DeepSVDD",
    "dsebm": "ganad.methods.dsebm:DSEBM",
    "egbad": "ganad.methods.egbad:EGBAD",
    "f-anogan": "ganad.methods.f_anogan:FAnoGAN",
    "fence-gan": "ganad.methods.fence_gan:FenceGAN",
    "ganomaly": "ganad.methods.ganomaly:GANomaly",
    "gaussian": "ganad.methods.baselines.gaussian:Gaussian",
    "gmm": "ganad.methods.baselines.gmm:GMM",
    "igmm-gan": "ganad.methods.igmm_gan:IGMMGAN",
    "isolation-forest": "ganad.methods.baselines.isolation_forest:IsolationForest",
    "kde": "ganad.methods.baselines.kde:KDE",
    "lof": "ganad.methods.baselines.lof:LOF",
    "mmoc-gan": "ganad.methods.mmoc_gan:MMOCGAN",
    "nearest-neighbor": "ganad.methods.baselines.nearest_neighbor:NearestNeighbor",
    "oc-nn": "ganad.methods.oc_nn:OCNN",
    "ocan": "ganad.methods.ocan:OCAN",
    "ocgan": "ganad.methods.ocgan:OCGAN",
    "one-class-svm": "ganad.methods.baselines.one_class_svm:OneClassSVM",
    "pca-residual": "ganad.methods.baselines.pca_residual:PCAResidual",
    "rda": "ganad.methods.rda:RobustAutoEncoder",
    "rgan": "ganad.methods.rgan:RGAN",
    "skip-ganomaly": "ganad.methods.skip_ganomaly:SkipGANomaly",
    "trivial": "ganad.methods.baselines.trivial:Trivial",
    "vae": "ganad.methods.vae:VAE",
}

#: Detectors that combine others. They are not methods, but names and model files may refer to them.
COMBINED = {
    "auto": "ganad.ensemble.auto:Auto",
    "ensemble": "ganad.ensemble.ensemble:Ensemble",
    "snapshots": "ganad.ensemble.snapshots:Snapshots",
}

_added: dict[str, str] = {}  # by add()
_plugins: set[str] = set()  # modules of the environment variable that were imported


def names() -> list[str]:
    """The names of all detectors, sorted."""
    return sorted(targets())


def targets() -> dict[str, str]:
    """Name -> "module:Class" of all detectors. Raises InputError if two packages claim one name."""
    for module in filter(None, os.environ.get(PLUGINS, "").split(",")):
        if module not in _plugins:
            add(module)
            _plugins.add(module)
    return BUILT_IN | _installed() | _added


@functools.cache
def _installed() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        target = f"{entry.module}:{entry.attr}"  # its value may name extras as well
        _refuse_taken(entry.name, target, found, "uninstall one of the packages")
        found[entry.name] = target
    return found


def _refuse_taken(name: str, target: str, found: dict[str, str], remedy: str) -> None:
    for known, other in (BUILT_IN | COMBINED | found).items():
        if _key(known) == _key(name) and other != target:
            raise InputError(f"two detectors are called {name!r}: {other} and {target}; {remedy}")


def add(module: str) -> list[str]:
    """Import ``module`` and register the detectors that it defines; returns their names.

    It is for classes that no installed package registers, such as one in a file beside a notebook. Raises InputError
    for a module that is not valid Python, cannot be imported or defines no detector, and for a name that is taken.
    """
    if module.startswith(".") or module.endswith(".py") or {"/", os.sep} & set(module):
        raise InputError(f"{module!r} is not the name of a module; give the name, without path and .py")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # the module is most likely in the user's folder
    try:
        imported = importlib.import_module(module)
    except SyntaxError as error:
        raise InputError(f"the module {module!r} is not valid Python ({error}); mend it") from error
    except ImportError as error:
        raise InputError(f"the module {module!r} cannot be imported ({error}); is its folder on PYTHONPATH?") from error
    except Exception as error:
        raise InputError(f"the module {module!r} cannot be imported ({_said(error)}); mend it") from error
    classes = [c for c in vars(imported).values() if _is_detector(c) and c.__module__ == imported.__name__]
    if not classes:
        raise InputError(f"the module {module!r} defines no detector; a detector is a subclass of ganad.Detector")
    for cls in classes:
        name, target = command_name(cls), target_of(cls)
        _refuse_taken(name, target, _installed() | _added, "rename the class")
        _added[name] = target
    return [command_name(cls) for cls in classes]


def get(name: str) -> type[Detector]:
    """The detector of a name. Case and dashes do not matter, and the name of the class works as well.

    Raises InputError, with the nearest names if some are near, for an unknown name.

    >>> get("fence-gan") is get("FenceGAN")
    True
    >>> get("fence-gam")
    Traceback (most recent call last):
    ganad.errors.InputError: no method 'fence-gam'; did you mean fence-gan? (ganad methods lists all)
    """
    for known, target in (targets() | COMBINED).items():
        if _key(name) in (_key(known), _key(target.partition(":")[2])):
            return _import(target)
    near = difflib.get_close_matches(name.lower(), [*names(), *COMBINED], 3)
    if not near:
        raise InputError(f"no method {shown(repr(name))}; ganad methods lists all")
    raise InputError(f"no method {name!r}; did you mean {', '.join(near)}? (ganad methods lists all)")


def summary(name: str) -> str:
    """The first line of a detector's docstring, read from its source, because importing all methods takes seconds."""
    module, _, cls = (targets() | COMBINED)[name].partition(":")
    try:
        spec = find_spec(module)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {module!r}")
        body = ast.parse(Path(spec.origin or "").read_text("utf-8")).body
    except Exception as error:  # another package's, which may be half installed
        return f"(cannot be read: {_said(error)})"
    nodes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == cls]
    return (ast.get_docstring(nodes[0]) or "").partition("\n")[0] if nodes else ""


def find(target: str) -> type[Detector] | None:
    """The class "module:Class", or the built-in one of a bare class name; None if it is not known here.

    Only registered classes are imported, so a model file cannot choose what runs.
    """
    module, colon, name = target.rpartition(":")
    if not colon or module.startswith("ganad."):
        own = next((t for t in (BUILT_IN | COMBINED).values() if t.partition(":")[2] == name), None)
        return _import(own) if own else None
    if target in targets().values():
        return _import(target)
    here: Any = getattr(sys.modules.get(module), name, None)
    return here if _is_detector(here) else None


def name_of(cls: type) -> str:
    """The name of a detector: the registered one, else the name of its class in lower case with dashes.

    >>> name_of(get("IsolationForest"))
    'isolation-forest'
    """
    target = target_of(cls)
    return next((name for name, known in (targets() | COMBINED).items() if known == target), command_name(cls))


def target_of(cls: type) -> str:
    """ "module:Class"."""
    return f"{cls.__module__}:{cls.__qualname__}"


def command_name(cls: type) -> str:
    """The command-line name of an unregistered class: the name of its module if that is the class's name as well, else
    the class in lower case."""
    file = cls.__module__.rpartition(".")[2]
    return file.replace("_", "-") if _key(file) == _key(cls.__name__) else cls.__name__.lower()


def _import(target: str) -> type[Detector]:
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs what others wrote
        raise InputError(f"the detector {target} cannot be imported ({_said(error)}); reinstall its package") from error
    if not _is_detector(found):
        raise InputError(f"{target} is not a subclass of ganad.Detector; report it to the authors of its package")
    return cast("type[Detector]", found)


def _said(error: Exception) -> str:
    """The type and the last line of an error of code that others wrote."""
    name, lines = type(error).__name__, str(error).splitlines()
    return shown(f"{name}: {lines[-1]}" if lines else name, 200)


def _is_detector(value: Any) -> bool:
    """Whether a value is a subclass of Detector; this does not import torch."""
    return inspect.isclass(value) and any(target_of(base) == "ganad.detector.base:Detector" for base in value.__mro__)


def _key(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
