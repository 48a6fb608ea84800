"""The contract of a detector as checks, for methods inside and outside ganad, in the manner of scikit-learn.

A test of three lines runs all checks::

    @parametrize_with_checks([MyGAN()])
    def test_contract(detector, check):
        check(detector)

Without pytest::

    for name, check in checks(MyGAN()):
        check()

A check has its own small data, a table and real digits, and makes its own small detector. Settings that have their
default value become small if their name is known (``epochs``, ``latent_dim``, ``width``, ``*_epochs`` and a few more);
the others stay. For a method that needs longer to learn, or has other names for settings, give them::

    @parametrize_with_checks([MyGAN(n_layers=1)], trained={MyGAN: dict(epochs=200)})

The checks are the functions of ``ganad.testing.contract``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..detector import Detector
from ..errors import InputError, MissingExtra, UntrustedFit
from . import contract
from .samples import KINDS, Kind, anomalous, fitted, has_networks, kinds, normal, small, trained

__all__ = [
    "KINDS",
    "Kind",
    "anomalous",
    "checks",
    "contract",
    "fitted",
    "has_networks",
    "kinds",
    "normal",
    "parametrize_with_checks",
    "small",
    "trained",
]

Check = Callable[[Detector], None]
F = TypeVar("F", bound=Callable[..., Any])


def checks(detector: Detector, trained: Mapping[str, Any] | None = None) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks of one detector by name, ``check_..._-table``. Call each without arguments.

    trained: settings with which the method learns, if the usual ones do not suit it. A check raises AssertionError
    with a sentence if it fails, and unittest.SkipTest if it does not apply. Raises InputError for a class, and for a
    detector that is for neither tables nor images.
    """
    for name, check in _checks(detector, trained or {}):
        yield name, functools.partial(check, detector)


def parametrize_with_checks(
    detectors: Iterable[Detector], *, trained: Mapping[type[Detector], Mapping[str, Any]] | None = None
) -> Callable[[F], F]:
    """Decorate a test with the arguments ``detector`` and ``check``: pytest runs every check of every detector.

    trained: by class, the settings with which a method learns. Raises MissingExtra without pytest, and InputError for a
    class instead of an instance and for a detector that is for neither tables nor images.
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingExtra(
            "parametrize_with_checks needs pytest: pip install pytest; checks() works without it"
        ) from error
    settings = trained or {}
    params = [
        pytest.param(detector, check, id=f"{type(detector).__name__}-{name}")
        for detector in detectors
        for name, check in _checks(detector, settings.get(type(detector), {}))
    ]
    return pytest.mark.parametrize(("detector", "check"), params)


def _checks(detector: Detector, settings: Mapping[str, Any]) -> Iterator[tuple[str, Check]]:
    if not isinstance(detector, Detector):
        raise InputError(f"{detector!r} is not a detector; give instances, such as parametrize_with_checks([MyGAN()])")
    found = kinds(detector)
    if not found:
        raise InputError(
            f"{type(detector).__name__} is for neither tables nor images; write build_table or build_image"
        )
    if unknown := settings.keys() - detector.get_params(deep=False).keys():
        raise InputError(f"{type(detector).__name__} has no setting {min(unknown)!r}; look at trained=")
    for kind in found:
        for check in contract.CHECKS:
            for name, more in _cases(check.__name__, kind, settings):
                yield name, functools.partial(_quiet(check), kind=kind, **more)


def _quiet(check: Callable[..., None]) -> Callable[..., None]:
    """The check without the warnings of its own fits, which are too short to be trusted."""

    @functools.wraps(check)
    def quietly(*arguments: Any, **more: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrustedFit)
            check(*arguments, **more)

    return quietly


def _cases(check: str, kind: Kind, settings: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each case of a check, and its arguments besides detector and kind."""
    if check == contract.check_samples_of_any_shape.__name__:
        for shape in contract.SHAPES[kind]:
            yield f"{check}-{kind}-{'x'.join(map(str, shape))}", dict(shape=shape)
    elif check == contract.check_planted_anomalies_are_found.__name__:
        yield f"{check}-{kind}", dict(settings=settings)
    else:
        yield f"{check}-{kind}", {}
