"""Which samples are normal: by the classes named, and a warning where none is named and there are several."""

import logging

import numpy as np
import pytest

from ganad import InputError
from ganad.data import Samples, choose_normal, labels_of, load, only_normal, unnamed

from .images import encoded


def samples(*classes):
    return Samples(np.arange(len(classes)), np.array(classes))


def test_a_folder_of_good_and_crack_does_not_train_on_cracks_without_a_word(tmp_path, caplog):
    for name in ("good", "crack"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(encoded("PNG"))
    both = load(tmp_path)
    with caplog.at_level(logging.WARNING, "ganad"):
        assert only_normal(both) is both
    assert "2 classes (crack, good)" in caplog.text
    assert "--normal" in caplog.text
    caplog.clear()
    assert only_normal(both, ["good"]).names == ["good/0.png"]
    assert only_normal(both, None, ["crack"]).names == ["good/0.png"]
    only_normal(load(tmp_path / "good"))
    assert caplog.text == ""


def test_pictures_beside_the_subfolders_are_told_apart_in_words(caplog):
    only_normal(samples("", "crack"))
    assert "2 classes (those in no subfolder, crack)" in caplog.text


def test_a_warning_names_twenty_classes_at_most(caplog):
    only_normal(samples(*(f"c{i:02d}" for i in range(25))))
    assert "25 classes" in caplog.text
    assert "c19, ...)" in caplog.text


def test_a_row_without_a_class_is_scored_and_has_no_label_but_does_not_train(tmp_path):
    whole, gap = tmp_path / "a.csv", tmp_path / "b.csv"
    whole.write_text("x,state\n1,ok\n2,bad\n3,ok\n")
    gap.write_text("x,state\n1,ok\n2,bad\n3,\n")
    new = load(gap, source=load(whole, label="state").source)
    assert new.x.ravel().tolist() == [1, 2, 3] and new.y.tolist() == ["ok", "bad", ""]
    assert labels_of(new, ["ok"]).tolist() == labels_of(new, None, ["bad"]).tolist() == [0, 1, -1]
    assert unnamed(new.y, ["ok"], ["bad"]) == ["those without a class"]
    with pytest.raises(InputError, match="1 rows have an empty cell in the label column"):
        only_normal(new, None, ["bad"])
    with pytest.raises(InputError, match="label column 'state' has 1 empty cells"):
        load(gap, label="state")


@pytest.mark.parametrize("y", [None, np.array(["good", "good"])])
def test_one_class_or_none_trains_silently(y, caplog):
    only_normal(Samples(np.zeros(2), y))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("normal", "anomaly", "labels"),
    [
        (["a"], None, [0, 1, 1]),
        (None, ["c"], [0, 0, 1]),
        (["a"], ["c"], [0, -1, 1]),
        (["z"], None, [1, 1, 1]),  # a part of a table need not hold every class
    ],
)
def test_labels_follow_the_named_classes(normal, anomaly, labels):
    assert labels_of(samples("a", "b", "c"), normal, anomaly).tolist() == labels


def test_without_names_or_classes_there_are_no_labels():
    assert labels_of(samples("a", "b")) is None
    assert labels_of(Samples(np.zeros(2)), ["a"]) is None


def test_classes_in_neither_list_are_named_and_wrong_names_refused():
    assert unnamed({"c", "b", "a"}, ["a"], ["c"]) == ["b"]
    assert unnamed({"a", "b"}, ["a"]) == unnamed({"a", "b"}) == unnamed(()) == []
    with pytest.raises(InputError, match="no class 'z' in the data; it has a, b"):
        unnamed({"a", "b"}, ["z"])
    with pytest.raises(InputError, match="class 'a' is named as normal and as an anomaly"):
        unnamed({"a", "b"}, ["a"], ["a"])
    with pytest.raises(InputError, match="--normal and --anomaly need classes"):
        unnamed((), ["a"])


def test_a_mask_needs_classes():
    with pytest.raises(InputError, match="--normal and --anomaly need classes"):
        choose_normal(Samples(np.zeros(2)), normal=["a"])


@pytest.mark.parametrize("unknown", ["anomaly", "ignore"])
def test_a_table_knows_what_its_normal_rows_show(tmp_path, unknown):
    rows = [f"{'' if i % 10 == 0 else i},{'xz'[i % 2]},ok" for i in range(20)] + ["1000,w,bad"] * 40
    (tmp_path / "t.csv").write_text("\n".join(["a,kind,y", *rows]))
    whole = load(tmp_path / "t.csv", label="y", impute=True, unknown=unknown)
    assert whole.x[0, 0] == 1000 and "kind=w" in whole.columns
    learnt = only_normal(whole, ["ok"])
    assert learnt.x[:, 0].max() == 19 and learnt.x[0, 0] == learnt.source["columns"][0]["fill"] < 19
    assert learnt.columns == ["a", "kind=x", "kind=z"] and len(learnt.x) == 20 and not learnt.unseen
