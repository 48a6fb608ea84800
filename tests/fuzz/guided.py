"""Guided by coverage, with Atheris (pip install atheris): ``python -m tests.fuzz.guided idx -runs=10000``.

It looks for what random alterations do not reach in code that is written in Python, such as the reader of Parquet's
pages. The options are libFuzzer's. It stops at what it finds and keeps the bytes in the current folder: mend the reader
and copy them to the corpus.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ganad"]):
    from ganad import InputError
    from ganad.serve.rejections import Refused

    from .targets import CORPUS, SHARED, TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as found, tempfile.TemporaryDirectory() as folder:

        def attempt(data: bytes) -> None:
            with contextlib.suppress(InputError, Refused):
                TARGETS[name].read(data, Path(folder))

        # what it keeps on the way goes to the first folder, and the corpus stays as it is
        atheris.Setup(["guided", *options, found, str(CORPUS / SHARED.get(name, name))], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
