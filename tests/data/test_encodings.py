"""Texts that are not UTF-8: what the user says is kept with the model, and used again in scoring and by the service."""

import codecs
import json
import threading
from encodings import utf_8_sig

import numpy as np
import pandas as pd
import pytest

from ganad import InputError, PCAResidual
from ganad.data import described, iter_table
from ganad.data import load as read
from ganad.serve.bodies import parse
from ganad.serve.limits import Limits

from .test_zoo import expected
from .zoo import table, text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_arrows_threads_run_no_python_for_utf_8(tmp_path, monkeypatch, mark):
    path, callers, decode = tmp_path / "t.csv", set(), utf_8_sig.IncrementalDecoder.decode

    def noted(self, *arguments, **options):
        callers.add(threading.get_ident())
        return decode(self, *arguments, **options)

    path.write_bytes(mark + b"a,b\n1,2\n3,4\n")
    monkeypatch.setattr(utf_8_sig.IncrementalDecoder, "decode", noted)
    assert read(path).columns == ["a", "b"]
    assert callers <= {threading.get_ident()}  # others abort a process that ends meanwhile


@pytest.mark.parametrize(
    "encoding", ["latin-1", "windows-1252", "utf-16-le", "utf-16-be", "mac-roman", "cp850", "utf-8"]
)
def test_what_is_said_is_used_again(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(text().encode(encoding))
    samples = read(path, encoding=encoding)
    assert np.array_equal(samples.x, expected())
    assert f"{encoding} as said" in described(samples.source)[0]
    model = PCAResidual(random_state=0, verbose=0).fit(samples)
    model.save(tmp_path / "m")
    source = json.loads(json.dumps(samples.source))
    lines = text().splitlines(keepends=True)
    path.write_bytes("".join(lines[:20]).encode(encoding))
    assert np.array_equal(next(iter_table(path, source)).x, expected()[:19])
    body = parse(path.read_bytes(), "text/csv", model, Limits())
    assert np.array_equal(body.x, expected()[:19])


def test_new_data_may_be_written_in_another_way(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(text().encode("mac-roman"))
    source = read(path, encoding="mac-roman").source
    path.write_bytes(text().encode("cp850"))
    assert np.array_equal(next(iter_table(path, source, encoding="cp850")).x, expected())
    assert next(iter_table(path, source)).unseen[0].value != "grün"
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ):
        path.write_bytes(mark + text().encode(name))  # a mark can mean nothing else
        assert np.array_equal(next(iter_table(path, source)).x, expected())


def test_utf_16_of_letters_without_zeros_needs_the_option(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("имя,город\nалександр,москва\nалександр,москва\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="bytes that are zero.*--encoding.*utf-16-le"):
        read(path)
    assert read(path, encoding="utf-16-le").columns == ["имя=александр", "город=москва"]


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"a,b\n\x81,2\n", None, "neither in UTF-8 nor in cp1252; give its own with --encoding, such as latin-1"),
        ("a,b\nü,2\n".encode(), "ascii", "is not written in ascii; give its own with --encoding"),
        ("a,b\nü,2\n".encode("latin-1"), "utf-8", "is not written in utf-8"),
        (b"a,b\n1,2\n3", "utf-16-le", "is not written in utf-16-le"),
        (b"a,b\n1,2\n", "klingon", "--encoding klingon: no encoding of texts that is known; give its own with"),
        (b"a,b\n1,2\n", "zlib", "--encoding zlib: no encoding of texts"),
        (b"a,b\n1,2\n", "unicode_escape", "--encoding unicode_escape: no encoding of texts"),
        (b"a,b\n1,2\n", "\x1b[2J", "no encoding of texts"),
    ],
)
def test_what_does_not_fit_is_one_sentence_that_names_the_option(tmp_path, content, encoding, words):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read(path, encoding=encoding)
    assert str(caught.value).isprintable()


def test_other_tables_have_no_encoding_to_be_told(tmp_path):
    with pytest.raises(InputError, match="--encoding is for files of text"):
        read(table(), encoding="latin-1")
    import pyarrow.parquet

    pyarrow.parquet.write_table(table(), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="t.parquet: --encoding is for files of text"):
        read(tmp_path / "t.parquet", encoding="latin-1")
    (tmp_path / "t.csv").write_bytes(text().encode("mac-roman"))
    source = read(tmp_path / "t.csv", encoding="mac-roman").source
    assert np.array_equal(next(iter_table(tmp_path / "t.parquet", source)).x, expected())


def test_a_missing_column_is_named_with_the_one_that_is_nearly_it(tmp_path):
    (tmp_path / "a.csv").write_text("s1,s2\n1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("s1,S2\n1,2\n3,4\n")
    source = read(tmp_path / "a.csv").source
    for read_again in (lambda path: read(path, source=source), lambda path: list(iter_table(path, source))):
        with pytest.raises(InputError, match="column 's2' is missing, .*; 'S2' is there"):
            read_again(tmp_path / "b.csv")


def test_a_frame_with_other_columns_is_refused_in_one_sentence():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    model = PCAResidual(n_components=1).fit(pd.DataFrame(rows, columns=["s1", "s2"]))
    for columns, words in ((["s1", "S2"], "'s2' missing, 'S2' not known"), (["s2", "s1"], "in another order")):
        with pytest.raises(InputError, match=words) as refused:
            model.anomaly_score(pd.DataFrame(rows, columns=columns))
        assert "\\n" not in str(refused.value)
