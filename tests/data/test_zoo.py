"""Tables as people have them: the same rows in every form give the same numbers, and what cannot be read says why."""

import datetime
import gzip
import json
import warnings

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from ganad import InputError, PCAResidual, load, report
from ganad.data import described, encodings, iter_table, load_table
from ganad.data import load as read
from ganad.data.large_table import load_large
from ganad.serve.bodies import parse
from ganad.serve.limits import Limits

from .zoo import COLUMNS, REFUSED, SAME, days, others, rows, table, text

FEATURES = ["temp", "amount", "colour=blue", "colour=grün", "colour=red"]


def expected():
    return np.array([[t, a, c == "blue", c == "grün", c == "red"] for t, a, c in rows()], float)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for name, content in SAME.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def model(zoo, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    PCAResidual(random_state=0, verbose=0).fit(read(zoo / "plain.csv")).save(path)
    return load(path)


@pytest.mark.parametrize("name", SAME)
def test_every_form_is_read_right(zoo, name):
    samples = read(zoo / name)
    assert samples.columns == FEATURES
    assert np.array_equal(samples.x, expected())


@pytest.mark.parametrize("name", [n for n in SAME if not n.startswith(("decimal", "thousands"))])
def test_every_form_is_scored_by_a_model_of_another(zoo, model, name):
    samples = next(iter_table(zoo / name, model.source_))
    assert np.array_equal(model.anomaly_score(samples.x), model.anomaly_score(expected()))


@pytest.mark.parametrize("name", [n for n in SAME if n.startswith(("decimal", "thousands"))])
def test_marks_are_kept_with_the_model_and_used_again(zoo, name, tmp_path):
    samples = read(zoo / name)
    source = json.loads(json.dumps(samples.source))
    lines = SAME[name].decode().splitlines(keepends=True)
    (tmp_path / "one.csv").write_text(lines[0] + lines[1])  # one row says nothing of its marks
    assert np.array_equal(next(iter_table(tmp_path / "one.csv", source)).x, expected()[:1])


def test_other_files_queries_and_frames_hold_the_same_rows(tmp_path, model):
    places = [*others(tmp_path), table(), table().to_pandas(), polars.DataFrame(table())]
    for place in places:
        samples = read(place)
        assert samples.columns == FEATURES
        assert np.array_equal(samples.x, expected()), place
        assert np.array_equal(read(place, source=model.source_).x, expected())
    for place in places[:5]:
        assert np.array_equal(np.concatenate([p.x for p in iter_table(place, model.source_, rows=16)]), expected())


def test_frames_are_fitted_and_scored_as_the_file_is(zoo, model):
    scores = model.anomaly_score(expected())
    frame = table().to_pandas()
    for given in (frame, polars.DataFrame(frame), table()):
        assert np.array_equal(model.anomaly_score(given), scores)
        fitted = PCAResidual(random_state=0, verbose=0).fit(given)
        assert np.array_equal(fitted.anomaly_score(given), scores)
        assert fitted.columns_ == FEATURES
    assert np.array_equal(model.anomaly_score(frame[[*COLUMNS[::-1]]].assign(more=1)), scores)
    assert np.array_equal(
        model.anomaly_score(frame[frame.temp > 20]), scores[frame.temp > 20]
    )  # its index is no column


@pytest.mark.parametrize("kind", ["json", "csv", "tsv", "parquet"])
def test_the_service_gives_the_same_rows(model, kind):
    if kind == "json":
        body = json.dumps([dict(zip(COLUMNS, row)) for row in rows()]).encode()
    elif kind == "parquet":
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table(), sink)
        body = sink.getvalue().to_pybytes()
    else:
        body = text(";" if kind == "csv" else "\t").encode()
    types = {"json": "application/json", "parquet": "application/vnd.apache.parquet"}
    samples = parse(body, types.get(kind, "text/csv"), model, Limits())
    assert np.array_equal(samples.x, expected())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(REFUSED[name].content)
    with pytest.raises(InputError, match=REFUSED[name].words.replace("(", r"\(")) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "_UNPACKED", 2**20)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**21))
    with pytest.raises(InputError, match="unpacks to more than"):
        read(tmp_path / "bomb.csv.gz")


@pytest.mark.parametrize(
    ("place", "query", "words"),
    [
        ("duckdb:SELEC 1", None, "syntax error"),
        ("duckdb:SELECT * FROM 'nothing.parquet'", None, "nothing.parquet"),
        ("duckdb:CREATE TABLE t (a INT)", None, "no rows|no column|begin with SELECT"),
        ("sqlite:///nothing.db", "SELECT 1", "no such file"),
        ("sqlite:///base.db", None, "--query"),
        ("sqlite:///base.db", "DROP TABLE t", "readonly"),
        ("sqlite:///base.db", "SELECT * FROM s", "no such table"),
        ("sqlite:///base.db", "SELECT * FROM t WHERE temp > 1000", "no rows"),
        ("postgresql://me:secret@127.0.0.1:1/x", "SELECT 1", "connection"),
        ("postgresql://me:secret@127.0.0.1:1/x", None, "--query"),
        ("duckdb:SELECT 1 AS a", "SELECT 2 AS a", "--query is for databases"),
        ("rows.csv", "SELECT a FROM t", "--query is for databases"),
    ],
)
def test_queries_that_fail_say_why_in_a_sentence(tmp_path, monkeypatch, place, query, words):
    monkeypatch.chdir(tmp_path)
    others(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=words) as caught:
        read(place, query=query)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_query_of_what_is_no_database_is_refused(zoo, tmp_path):
    parquet, *_ = others(tmp_path)
    source = read(parquet).source
    reads = (load_table, lambda place, query: list(iter_table(place, source, query=query)))
    for place in (zoo / "plain.csv", parquet, "duckdb:SELECT 1", pandas.DataFrame({"a": [1.0, 2.0]})):
        for reading in reads[: 1 if isinstance(place, pandas.DataFrame) else 2]:
            with pytest.raises(InputError, match="--query is for databases") as caught:
                reading(place, query="SELECT 2")
            assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="--query is for"):
        load_large(parquet, query="SELECT 2")
    assert len(read(f"sqlite:///{tmp_path}/base.db", query="SELECT * FROM t LIMIT 9").x) == 9


def test_the_user_says_what_cannot_be_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(REFUSED["either.csv"].content)
    assert read(path, decimal=",").x[3, 0] == 1.003
    thousands = read(path, thousands=",")
    assert thousands.x[3, 0] == 1003
    assert next(iter_table(path, thousands.source)).x[3, 0] == 1003
    with pytest.raises(InputError, match="--decimal"):
        read(path, decimal=",", thousands=",")


@pytest.mark.parametrize("word", ["#N/A", "n/a", "?", "-", "NULL", ""])
def test_words_for_missing_cells(tmp_path, word):
    (tmp_path / "t.csv").write_text(f"a,b\n1.5,x\n{word},y\n2.5,x\n")
    with pytest.raises(InputError, match="column 'a' has 1 missing value"):
        read(tmp_path / "t.csv")
    assert read(tmp_path / "t.csv", impute=True).x[:, 0].tolist() == [1.5, 2, 2.5]


@pytest.mark.parametrize("cells", [[1.0, -999.0, 3.0], [1, -999, 3], ["1", "-999", "3"], ["1", "-999.0", "?"]])
def test_a_number_that_is_a_word_for_missing_cells_is_one_whatever_stands_beside_it(tmp_path, cells):
    frame = pandas.DataFrame({"a": cells, "ok": [True, False, True]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    for place in (frame, tmp_path / "t.csv"):
        samples = read(place, missing=("-999", "0"), impute=True)
        assert samples.source["read"]["missing"]["a"] == 1 + (cells[2] == "?")
        assert samples.x[1].tolist() == [1 if cells[2] == "?" else 2, 0]
        one = read(frame[1:2], source=samples.source)
        assert one.x.tolist() == samples.x[1:2].tolist()
    with pytest.raises(InputError, match="column 'a' is empty"):
        read(frame[1:2], missing=("-999",), impute=True)


def test_words_for_missing_cells_are_such_in_excel_too(tmp_path):
    frame = pandas.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "N/A", "x"]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    assert read(tmp_path / "t.xlsx", impute=True).columns == ["a", "b=x"]
    assert read(frame, impute=True).columns == ["a", "b=N/A", "b=x"]


def test_among_texts_a_sign_is_a_text_unless_the_user_says_otherwise(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,?\n3,x\n")
    assert read(tmp_path / "t.csv").columns == ["a", "b=?", "b=x"]
    samples = read(tmp_path / "t.csv", missing=("?",), impute=True)
    assert samples.columns == ["a", "b=x"]
    assert next(iter_table(tmp_path / "t.csv", samples.source)).x.tolist() == [[1, 1], [2, 1], [3, 1]]


@pytest.mark.parametrize(
    ("content", "columns", "x"),
    [
        ("amount\n1,5\n2,5\n37\n", ["amount"], [[1.5], [2.5], [37]]),
        ("a;b\n1,5;2,5\n", ["a", "b"], [[1.5, 2.5]]),
        ("a,b\r\n1,2\n3,4\r\n5,6", ["a", "b"], [[1, 2], [3, 4], [5, 6]]),
        ("#,b\n1,2\n3,4\n", ["#", "b"], [[1, 2], [3, 4]]),
        ("a;b\n1.234;1,5\n2.345;2,25\n", ["a", "b"], [[1234, 1.5], [2345, 2.25]]),
        ("a;b\n555 123 456;1\n555 987 654;2\n", ["a", "b"], [[555123456, 1], [555987654, 2]]),
        ("a;b\n1,5e3;+1\n2e-1;-2\n", ["a", "b"], [[1500, 1], [0.2, -2]]),
        ("a,b\ntrue,1\nFALSE,3\n", ["a", "b"], [[1, 1], [0, 3]]),
        ("a\n1\n\n3\n", ["a"], [[1], [2], [3]]),
    ],
)
def test_small_and_odd_tables(tmp_path, content, columns, x):
    (tmp_path / "t.csv").write_text(content)
    samples = read(tmp_path / "t.csv", impute=True)
    assert samples.columns == columns
    assert samples.x.tolist() == x


# -- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d %B %Y", "%Y-%m-%dT00:00:00Z", "%b %d, %Y"]
)
def test_dates_become_numbers_that_mean_something(tmp_path, form):
    (tmp_path / "t.csv").write_text("day;a\n" + "".join(f"{day:{form}};1\n" for day in days()))
    samples = read(tmp_path / "t.csv", dates=("elapsed", "weekday"))
    assert samples.columns == ["day: days", "day: weekday", "a"]
    assert samples.x[:, :2].tolist() == [[i % 21, (4 + i % 21) % 7] for i in range(len(days()))]
    again = next(iter_table(tmp_path / "t.csv", json.loads(json.dumps(samples.source)), rows=7))
    assert np.array_equal(again.x, samples.x[:7])


def test_dates_that_can_be_read_in_two_ways_are_refused_until_the_user_says(tmp_path):
    (tmp_path / "t.csv").write_text("day,a\n03-02-2024,1\n04-02-2024,2\n")
    with pytest.raises(InputError, match="--day-first or --month-first"):
        read(tmp_path / "t.csv", dates=("elapsed",))
    assert read(tmp_path / "t.csv", dates=("elapsed",), day_first=True).x[:, 0].tolist() == [0, 1]
    assert read(tmp_path / "t.csv", dates=("elapsed",), day_first=False).x[:, 0].tolist() == [0, 31]


def test_hours_zones_and_times_of_day(tmp_path):
    (tmp_path / "t.csv").write_text(
        "at,lap,a\n2024-02-01 10:30:00+02:00,00:01:20.250,1\n2024-02-02T09:00:00Z,1:02:00,2\n"
    )
    samples = read(tmp_path / "t.csv", dates=("hour", "elapsed"))
    assert samples.columns == ["at: hour", "at: days", "lap: seconds", "a"]
    assert samples.x.tolist() == [[8.5, 0, 80.25, 1], [9, 1 + 0.5 / 24, 3720, 2]]
    when = [datetime.datetime(2024, 2, 1, 8, 30), datetime.datetime(2024, 2, 2, 9)]
    frame = pandas.DataFrame(dict(at=when, lap=pandas.to_timedelta([80.25, 3720], "s"), a=[1, 2]))
    assert np.array_equal(read(frame, dates=("hour", "elapsed")).x, samples.x)
    with pytest.raises(InputError, match="row 0 holds 'soon'"):
        read(pandas.DataFrame(dict(at=["soon"], lap=["0:00"], a=[1])), source=samples.source)


def test_gaps_among_dates_are_filled(tmp_path):
    (tmp_path / "t.csv").write_text("day,a\n2024-02-01,1\n-,2\n2024-02-03,3\n")
    with pytest.raises(InputError, match="column 'day' has 1 missing value"):
        read(tmp_path / "t.csv", dates=("elapsed",))
    assert read(tmp_path / "t.csv", dates=("elapsed", "weekday"), impute=True).x[1].tolist() == [1, 4, 2]


def test_what_a_date_cannot_become(tmp_path):
    (tmp_path / "t.csv").write_text("day,a\n2024-02-01,1\n2024-02-02,2\n")
    with pytest.raises(InputError, match="a date can become elapsed, hour, weekday"):
        read(tmp_path / "t.csv", dates=("month",))


# -- what training did not have --------------------------------------------------------------------------------------


def test_a_text_that_training_did_not_have(model):
    frame = table().to_pandas()
    frame.loc[[5, 9], "colour"] = ["pink", "black"]
    scores = model.anomaly_score(frame)
    assert np.isposinf(scores[[5, 9]]).all()
    assert np.array_equal(np.delete(scores, [5, 9]), np.delete(model.anomaly_score(expected()), [5, 9]))
    assert (model.predict(frame)[[5, 9]] == -1).all()
    samples = read(frame, source=model.source_)
    assert [(cell.row, cell.column, cell.value) for cell in samples.unseen] == [
        (5, "colour", "pink"),
        (9, "colour", "black"),
    ]
    ignored = read(frame, source=model.source_, unknown="ignore")
    usual = max(("blue", "grün", "red"), key=list(zip(*rows()))[2].count)
    frame.loc[[5, 9], "colour"] = usual
    assert np.array_equal(ignored.x, read(frame, source=model.source_).x)
    frame.loc[[5, 9], "colour"] = ["pink", "black"]
    with pytest.raises(InputError, match="row 5: 'pink' did not occur in training.*so are rows 9"):
        read(frame, source=model.source_, unknown="refuse")
    with pytest.raises(InputError, match="--unknown maybe"):
        read(frame, unknown="maybe")


def test_a_report_shows_rows_with_such_texts(model, tmp_path):
    frame = table().to_pandas()
    frame.loc[5, "colour"] = "pink"
    assert "<html" in report(model, frame, tmp_path / "r.html").read_text()


def test_models_of_earlier_versions_refuse_it(model):
    earlier = {"kind": "table", "columns": [{"name": "c", "kind": "categorical", "fill": None, "categories": ["x"]}]}
    with pytest.raises(InputError, match="'y' did not occur in training"):
        read(pandas.DataFrame(dict(c=["x", "y"])), source=earlier)


def test_columns_that_the_model_does_not_know_are_told(model):
    assert read(table().append_column("more", [[1] * 60]), source=model.source_).ignored == ["more"]


# -- what is said of it ----------------------------------------------------------------------------------------------


def test_how_a_table_was_read(zoo, tmp_path):
    assert described(read(zoo / "decimal-comma.csv").source) == [
        "data      60 rows, 3 columns, separator semicolon, decimal comma, UTF-8",
        "numbers   temp, amount",
        "texts     colour (blue, grün, red)",
    ]
    path = tmp_path / "t.csv"
    path.write_text(
        "# by hand\n,id,day,ok,a\n" + "".join(f"{i},k{i},{d},{i > 3},{i or '?'}\n" for i, d in enumerate(days()))
    )
    source = read(path, drop=["id"], dates=("weekday",), impute=True).source
    assert described(json.loads(json.dumps(source))) == [
        "data      60 rows, 3 columns, separator comma, decimal point, UTF-8, lines above the names: 1",
        "numbers   a",
        "truths    ok",
        "dates     day (weekday)",
        "left out  '' (counts the rows), id (--drop)",
        "filled    a 1",
    ]


# -- programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        ([True, False], ["c"]),
        ([0.0, 1.0], ["c"]),
        ([1, 2], ["c=1", "c=2"]),
        (["x ", "y"], ["c=x", "c=y"]),
        ([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)], ["c: weekday"]),
    ],
)
def test_categories_of_a_frame_are_those_of_its_file(tmp_path, cells, columns):
    frame = pandas.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "c": pandas.Categorical(cells * 2)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    samples = read(frame, dates=["weekday"])
    assert samples.columns == ["n", *columns]
    for place in (frame, tmp_path / "t.csv"):
        again = read(place, source=samples.source)
        assert again.x.tolist() == samples.x.tolist() and not again.unseen


def test_whole_numbers_are_categories_and_classes_without_a_point(tmp_path):
    frame = pandas.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "hall": [1, 2, 3, "B"], "y": [0, 1, 0, 1]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    frame[:3].to_excel(tmp_path / "new.xlsx", index=False)
    samples = read(tmp_path / "t.xlsx", label="y")
    assert samples.columns == ["n", "hall=1", "hall=2", "hall=3", "hall=B"] and samples.y.tolist() == ["0", "1"] * 2
    new = read(tmp_path / "new.xlsx", source=samples.source)
    assert new.x.tolist() == samples.x[:3].tolist() and not new.unseen
    with pytest.raises(InputError, match="column 'hall' is double, but was text in training"):
        read(frame.assign(hall=1.5), source=samples.source)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_with_everything_are_fitted(kind, tmp_path):
    n = 80
    rng = np.random.default_rng(1)
    frame = pandas.DataFrame(
        dict(
            a=rng.normal(size=n),
            b=pandas.array([None, *range(n - 1)], dtype="Int64"),
            ok=pandas.array([None, *(rng.random(n - 1) > 0.5)], dtype="boolean"),
            c=pandas.Categorical(rng.choice(["x", "y"], n)),
            s=rng.choice(["u", "v"], n),
            day=pandas.date_range("2024-01-01", periods=n, tz="UTC"),
        )
    )
    given = frame if kind == "pandas" else polars.from_pandas(frame)
    with pytest.raises(InputError, match="the frame: column 'b' has 1 missing value"):
        PCAResidual(verbose=0).fit(given.drop("day", axis=1) if kind == "pandas" else given.drop("day"))
    detector = PCAResidual(verbose=0).fit(read(given, impute=True, dates=("weekday",)))
    detector.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert np.isfinite(again.anomaly_score(given)).all()
    assert np.array_equal(again.anomaly_score(given), detector.anomaly_score(given))
    assert again.explain(given).shape == (n, len(again.columns_))


def test_frames_of_numbers_keep_scikit_learns_rules_and_can_be_scored_from_a_file(tmp_path):
    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    detector = PCAResidual(verbose=0).fit(frame)
    frame[["b", "a"]].to_csv(tmp_path / "t.csv", index=False)
    assert np.array_equal(
        detector.anomaly_score(frame), PCAResidual(verbose=0).fit(frame.to_numpy()).anomaly_score(frame.to_numpy())
    )
    assert np.allclose(
        detector.anomaly_score(read(tmp_path / "t.csv", source=detector.source_)), detector.anomaly_score(frame)
    )
    with pytest.raises(InputError, match="in another order"):
        detector.anomaly_score(frame[["b", "a"]])


def test_what_a_frame_cannot_hold():
    spans = pandas.DataFrame(dict(a=[1.0, 2.0], b=pandas.cut([1.0, 2.0], 2)))
    with pytest.raises(InputError, match="column 'b' has type .*interval.*, which is no number, truth value or text"):
        PCAResidual(verbose=0).fit(spans)
    with pytest.raises(InputError, match="names of X's columns mix numbers and texts"):
        PCAResidual(verbose=0).fit(pandas.DataFrame({0: [1.0, 2.0], "x": [1.0, 2.0]}))
    mixed = pandas.DataFrame(dict(a=[1, "x", 2.5], b=[1, 2, 3]))
    with pytest.raises(InputError, match="the frame has a column that mixes kinds of values"):
        PCAResidual(verbose=0).fit(mixed)
    with pytest.raises(InputError, match="this frame holds more"):
        PCAResidual(verbose=0).fit(np.random.default_rng(0).normal(size=(20, 1))).anomaly_score(table())


def test_remedies_for_a_frame_are_those_of_a_program(tmp_path):
    frame = pandas.DataFrame({"a": [1.0, None, 2.0], "day": pandas.date_range("2024-01-01", periods=3)})
    with pytest.raises(InputError, match=r"with ganad.data.load\(X, dates=.*out with .*load\(X, drop=\['day'\]"):
        read(frame)
    with pytest.raises(InputError, match=r"fill them, or train with ganad.data.load\(X, impute=True\)"):
        read(frame[["a"]])
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match="read it with --dates elapsed,hour,weekday, or leave it out with --drop day"):
        read(tmp_path / "t.csv")


def test_a_name_that_occurs_twice_is_named(tmp_path):
    frame = pandas.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "a"])
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    for place in (frame, tmp_path / "t.xlsx"):
        with pytest.raises(InputError, match="column 'a' occurs more than once; rename one of them"):
            read(place)


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_where_an_array_is_not_finite_is_said(bad, word):
    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    frame.loc[3, "b"] = bad
    with pytest.raises(InputError, match="column 'b'"):
        PCAResidual(verbose=0).fit(frame)
    with pytest.raises(InputError, match=f"{word} .row 3, column 1"):
        PCAResidual(verbose=0).fit(frame.to_numpy())


def test_sparse_tables_are_refused_in_a_sentence():
    from scipy.sparse import csr_array

    with pytest.raises(InputError, match="X is sparse"):
        PCAResidual(verbose=0).fit(csr_array(np.eye(5)))


# -- what 32 bits lose -----------------------------------------------------------------------------------------------


def test_numbers_too_large_to_calculate_with_name_their_column(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n2,1e300\n3,4\n")
    with pytest.raises(InputError, match=r"column 'b', row 1: 1e\+300 is too large"):
        PCAResidual(verbose=0).fit(read(tmp_path / "t.csv"))


def test_a_column_whose_values_do_not_survive_is_named(caplog):
    x = np.random.default_rng(0).normal(size=(100, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        PCAResidual(verbose=0).fit(x + 1e9)
        PCAResidual(verbose=0).fit(x.astype(np.float32))
    assert caplog.text == ""
    x[0, 1] = 1e13
    PCAResidual(verbose=0).fit(pandas.DataFrame(x, columns=["a", "far", "c"]))
    assert "column 'far': of 100 different values 2 are left" in caplog.text
    assert "'a'" not in caplog.text
