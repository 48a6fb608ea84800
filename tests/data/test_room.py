"""The room as a whole: what it offers, what it costs to enter, and that its sets can be named without their readers."""

import subprocess
import sys

import pytest

from ganad import data, protocols

HEAVY = "torch pyarrow pandas sklearn scipy PIL"


def loaded_after(code):
    """The heavy packages that a fresh process has loaded after ``code``."""
    code += f"\nimport sys\nprint(*[m for m in {HEAVY!r}.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_entering_loads_nothing_heavy():
    assert loaded_after("import ganad.data, ganad.protocols.protocol, ganad.data.sets.cifar10") == set()


def test_naming_the_data_sets_loads_no_reader_of_tables_and_no_scikit_learn():
    assert loaded_after("from ganad.data import DATASETS") <= {"PIL"}


@pytest.mark.parametrize("name", data.__all__)
def test_every_public_name_is_there(name):
    assert getattr(data, name) is not None


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = data.laod


def test_the_data_of_every_protocol_are_known_by_name():
    assert {p.dataset for p in protocols.PROTOCOLS.values()} - {""} <= set(data.DATASETS)
