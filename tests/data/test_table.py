"""Tables: columns by name, cells that do not fit named with their row, one recipe for training and scoring."""

import json

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganad import KDE, InputError
from ganad.data import choose_normal, iter_table, load, refill
from ganad.data.text_file import cells, look

GOOD = "width,ok,colour,kind\n1.5,true,red,a\n2.5,false,blue,b\n-3,true,red,a\n"


def csv(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_numbers_truth_values_and_text(tmp_path):
    samples = load(csv(tmp_path, GOOD), label="kind")
    assert samples.columns == ["width", "ok", "colour=blue", "colour=red"]
    assert samples.x.tolist() == [[1.5, 1, 0, 1], [2.5, 0, 1, 0], [-3, 1, 0, 1]]
    assert samples.y.tolist() == ["a", "b", "a"]
    assert choose_normal(samples, normal=("a",)).tolist() == [True, False, True]
    with pytest.raises(InputError, match="no class 'z' in the data; it has a, b"):
        choose_normal(samples, anomaly=("z",))
    with pytest.raises(InputError, match="class 'a' is named as normal and as an anomaly"):
        choose_normal(samples, normal=("a",), anomaly=("a", "b"))


def test_new_tables_are_matched_by_name_in_any_order(tmp_path):
    samples = load(csv(tmp_path, GOOD), label="kind")
    source = json.loads(json.dumps(samples.source))
    other = csv(tmp_path, "extra,colour,ok,width\n9,red,true,1.5\n9,blue,false,2.5\n", "new.csv")
    assert np.array_equal(load(other, source=source).x, samples.x[:2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width,ok,colour\n1,true,green\n", "column 'colour', row 0: 'green' did not occur in training"),
        ("ok,colour\ntrue,red\n", "column 'width' is missing"),
        ("width,ok,colour\n1,true,red\nwide,true,red\n", "column 'width' is numeric, but row 1 holds 'wide'"),
        ("width,ok,colour\n,true,red\n", "column 'width' has 1 missing value"),
        ("width,ok,colour\ninf,true,red\n", "column 'width', row 0: infinite"),
        ("width,ok,colour\n", "no rows in this table"),
        ("width,width,ok,colour\n1,1,true,red\n", "column 'width' occurs more than once"),
        ("", "cannot be read as a table"),
        ("width,ok,colour\n1,true\n", "cannot be read as a table .row 0: Expected 3 columns, got 2"),
        ('#\nwidth,ok,colour\n1,true,"a\nb"\n\n1,true\n', "row 1: Expected 3 columns, got 2"),
    ],
)
def test_what_does_not_fit_the_model_is_named(tmp_path, text, words):
    source = load(csv(tmp_path, GOOD), drop=["kind"]).source
    with pytest.raises(InputError, match=words) as caught:
        load(csv(tmp_path, text, "new.csv"), source=source, unknown="refuse")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n" + "1,2\n" * 30 + "x1,2\n", "column 'a' is numeric, but row 30 holds 'x1'"),
        ("a,b\n" + "".join(f"t{i % 101},2\n" for i in range(303)), "column 'a' has 101 different texts, more than 100"),
        ("a,b\n2024-01-01,2\n2024-01-02,3\n", "column 'a' holds dates or times"),
        ("a,b\n,2\n,3\n", "column 'a' is empty"),
        ("a,\n1,\n2,\n", """column '' is empty; leave it out with --drop '""'$"""),
        ('"a, b (mm)",c\n,2\n,3\n', """with --drop '"a, b \\(mm\\)"'$"""),
        ("a,b\n1,2\n,3\nNaN,4\n", "column 'a' has 2 missing values; fill them, or train with --impute"),
    ],
)
def test_training_tables_that_cannot_be_used_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load(csv(tmp_path, text))


def test_options_for_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="--size is for images, and this is a table"):
        load(csv(tmp_path, GOOD), size=32)


def test_unknown_columns_are_named_with_those_there_are(tmp_path):
    path = csv(tmp_path, GOOD)
    with pytest.raises(InputError, match="no column 'colr'; it has width, ok, colour, kind"):
        load(path, label="colr")


def test_imputing_uses_what_the_training_table_said(tmp_path):
    text = "a,b\n1,red\n3,red\n,blue\n5,\n"
    samples = load(csv(tmp_path, text), impute=True)
    assert samples.x.tolist() == [[1, 0, 1], [3, 0, 1], [3, 1, 0], [5, 0, 1]]
    gaps = load(csv(tmp_path, "a,b\n,\n100,red\n", "new.csv"), source=json.loads(json.dumps(samples.source)))
    assert gaps.x.tolist() == [[3, 0, 1], [100, 0, 1]]


def test_gaps_are_filled_from_the_rows_that_train(tmp_path):
    text = "a,b,c\n1,red,true\n1,red,true\n,,\n99,blue,false\n99,blue,false\n99,blue,false\n"
    samples = load(csv(tmp_path, text), impute=True)
    assert samples.x[2].tolist() == [99, 1, 0, 0]
    again = refill(samples, np.array([0, 1, 2]))
    assert again.x[2].tolist() == [1, 0, 1, 1]
    assert [c["fill"] for c in again.source["columns"]] == [1, "red", 1]
    assert samples.x[2].tolist() == [99, 1, 0, 0]  # the first ones are left as they were


def test_tables_larger_than_memory_come_in_parts_that_add_up(tmp_path):
    rng = np.random.default_rng(0)
    table = pyarrow.table({"a": rng.normal(size=1000), "b": rng.integers(0, 5, 1000), "c": rng.random(1000) > 0.5})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    whole = load(tmp_path / "t.parquet")
    for name in ("t.parquet", "t.csv"):
        parts = list(iter_table(tmp_path / name, whole.source, rows=128))
        assert len(parts) >= 8
        assert np.array_equal(np.concatenate([p.x for p in parts]), whole.x)
        assert [n for p in parts for n in p.names] == whole.names
    bad = csv(tmp_path, "a,b,c\n" + "1,2,true\n" * 300 + "1,x,true\n", "bad.csv")
    with pytest.raises(InputError, match="column 'b' is numeric, but row 300 holds 'x'"):
        list(iter_table(bad, whole.source, rows=128))


names = st.text("abcdefghijklm", min_size=1, max_size=8).map(lambda name: f"x{name}")
floats = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_csv_and_parquet_give_the_same_numbers(tmp_path_factory, data):
    columns = data.draw(st.lists(names, min_size=1, max_size=4, unique=True))
    n = data.draw(st.integers(1, 8))
    table = pyarrow.table({c: data.draw(st.lists(floats, min_size=n, max_size=n)) for c in columns})
    folder = tmp_path_factory.mktemp("t")
    pyarrow.parquet.write_table(table, folder / "t.parquet")
    pyarrow.csv.write_csv(table, folder / "t.csv")
    parquet = load(folder / "t.parquet")
    assert parquet.columns == columns
    assert np.array_equal(parquet.x, np.column_stack([table[c].to_numpy() for c in columns]))
    assert np.allclose(load(folder / "t.csv", source=parquet.source).x, parquet.x, rtol=1e-12)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1,{:03}", "such as 1,010, which is 1.010 with a decimal comma and 1010 with thousands; say which with --dec"),
        ("{}.5 %", "percentages; write them as plain numbers, without the sign, or leave it out with --drop c"),
        ("${}.99", "amounts of money"),
        ("3:{:02}:00 pm", "times; read them with --dates hour"),
        ("5 March 2{:03}", "dates; read them with --dates elapsed,hour,weekday"),
        ("Mon, {} Jan 2024 10:00", "dates"),
        ("part-{}", "free text or identifiers; leave it out with --drop c$"),
    ],
)
def test_texts_that_nearly_all_differ_are_never_categories(tmp_path, cell, words):
    cells = [cell.format(i) for i in range(10, 40)]
    with pytest.raises(InputError, match=words) as caught:
        load(csv(tmp_path, "a,c\n" + "".join(f'1,"{c}"\n' for c in cells)))
    assert "column 'c'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("different", "rows"), [(20, 20), (30, 60)])
def test_few_texts_or_texts_that_come_back_are_categories(tmp_path, different, rows):
    path = csv(tmp_path, "a,c\n" + "".join(f"1,t{i % different}\n" for i in range(rows)))
    assert len(load(path).columns) == 1 + different
    with pytest.raises(InputError, match="31 different texts in 31 rows"):
        load(csv(tmp_path, "a,c\n" + "".join(f"1,t{i}\n" for i in range(31))))


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize("start", [0, 1])
def test_a_first_column_that_counts_the_rows_is_left_out_and_that_is_logged(tmp_path, caplog, name, start):
    path = csv(tmp_path, f"{name},a\n" + "".join(f"{start + i},{i % 3}\n" for i in range(9)))
    samples = load(path)
    assert samples.columns == ["a"]
    assert f"the first column, {name!r}, only counts the rows and is left out" in caplog.text
    new = load(csv(tmp_path, f"{name},a\n7,5\n", "new.csv"), source=samples.source)
    assert new.x.tolist() == [[5]]


@pytest.mark.parametrize("text", [",a\n3,1\n1,2\n", "n,a\n0,1\n1,2\n", "a,\n1,0\n2,1\n", ",a\n0.5,1\n1.5,2\n"])
def test_other_columns_of_numbers_stay(tmp_path, caplog, text):
    assert load(csv(tmp_path, text)).x.shape == (2, 2)
    assert caplog.text == ""


def test_a_table_is_read_by_the_recipe_of_a_named_set(tmp_path):
    source = load("rings").source
    assert load(csv(tmp_path, "x2,x1\n1,2\n"), source=source).x.tolist() == [[2, 1]]
    with pytest.raises(InputError, match="column 'x1' has 1 missing value"):
        load(csv(tmp_path, "x2,x1\n1,\n"), source=source)


def test_of_a_csv_file_the_known_columns_alone_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n")
    names, dialect = look(tmp_path / "t.csv", {"b", "z"})
    assert [part.to_pydict() for part in cells(tmp_path / "t.csv", names, dialect, {"b", "z"})] == [{"b": ["2"]}]
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match="'a' occurs more than once"):
        look(tmp_path / "t.csv", {"b"})


def test_samples_of_other_columns_are_not_read_by_their_places(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "\n".join(f"{i},{i % 3}" for i in range(20)))
    (tmp_path / "b.csv").write_text("b,a\n" + "\n".join(f"{i % 3},{i}" for i in range(20)))
    model = KDE(verbose=0).fit(load(tmp_path / "a.csv"))
    with pytest.raises(InputError, match=r"columns b, a, and the model learnt a, b; .*source=detector.source_"):
        model.anomaly_score(load(tmp_path / "b.csv"))
    same = load(tmp_path / "b.csv", source=model.source_)
    assert np.array_equal(model.anomaly_score(same), model.anomaly_score(load(tmp_path / "a.csv")))
