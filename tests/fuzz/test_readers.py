"""Every reader, some seconds in all; ten minutes with ``-m slow``. What gets out is InputError alone."""

import os
import random
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import CORPUS, SECONDS, SHARED, TARGETS

FOUND = CORPUS.parent / "found"  #: where bytes that did harm are kept; not in the repository
MINUTES = float(os.environ.get("GANAD_FUZZ_MINUTES", "10"))  #: of the slow run, over all targets


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_in_the_corpus_is_read_or_refused(name, tmp_path):
    seeds = TARGETS[name].seeds()
    assert seeds
    for data in seeds:
        TARGETS[name].attempt(data, tmp_path)


@pytest.mark.parametrize("name", sorted(set(TARGETS) - set(SHARED)))
def test_a_whole_file_of_the_corpus_passes(name, tmp_path):
    """Or the other tests would try nothing but refusals."""
    folder = CORPUS / name
    file = next(file for file in sorted(folder.iterdir()) if not file.name.startswith("harm-"))
    TARGETS[name].read(file.read_bytes(), tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_made_wrong_is_read_or_refused(name, tmp_path_factory):
    target, folder = TARGETS[name], tmp_path_factory.mktemp("x")

    @given(st.integers(0, 2**32))
    @settings(
        max_examples=target.tries,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def attempt(seed: int) -> None:
        target.attempt(target.one(random.Random(seed)), folder)

    attempt()


RUN = """
import random, sys, tempfile, time
from pathlib import Path
from tests.fuzz.targets import TARGETS
name, seconds, seed, kept = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
target, tries, source = TARGETS[name], 0, random.Random(seed)
with tempfile.TemporaryDirectory() as folder:
    target.attempt(target.seeds()[0], Path(folder))  # which imports what it needs
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = target.one(source)
        kept.write_bytes(data)
        target.attempt(data, Path(folder))
        tries += 1
print(tries)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_minutes_of_it(name):
    """In a process of its own, which may die; the bytes that did it are kept."""
    seconds, seed = 60 * MINUTES / len(TARGETS), time.time_ns() % 2**32
    FOUND.mkdir(exist_ok=True)
    kept = FOUND / f"harm-{name}-{seed}"
    command = [sys.executable, "-c", RUN, name, str(seconds), str(seed), str(kept)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds + 2 * SECONDS + 120,
        env=environment,
        cwd=CORPUS.parents[2],
    )
    assert done.returncode == 0, f"{kept} (copy it to {CORPUS / name}): {done.returncode}\n{done.stderr[-3000:]}"
    kept.unlink()
    assert int(done.stdout) > 0
    sys.stdout.write(f"{name}: {done.stdout.strip()} tries\n")
