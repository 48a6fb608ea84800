"""The baselines' measured rows against AUROCs of another implementation on the same files.

The other figures are single runs of scikit-learn and NumPy code that shares nothing with this repository: official
MNIST and CIFAR-10 (as JPEG) files, pixels in [-1, 1], PCA fitted on the normal training images with 40 components
(MNIST) or 60, ten-fold likelihood for KDE's bandwidth, ten full components for the mixture, nothing tuned on labels.
The classes stand in the files' order. Rows: ``ganad bench SUITE --budget paper``.
"""

from pathlib import Path

import pytest

from ganad import protocols
from ganad.bench import SUITES
from ganad.bench.rows import read

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
TOLERANCE = 0.01

#: suite; line of its table; AUROC by class
REFERENCE = """
adgan-mnist;   KDE;             .972 .999 .880 .873 .927 .909 .955 .930 .860 .921
adgan-mnist;   1-NN, PCA;       .972 .999 .880 .873 .926 .909 .955 .929 .857 .921
adgan-mnist;   1-NN;            .993 .999 .925 .934 .945 .955 .980 .958 .885 .962
adgan-mnist;   LOF;             .997 .995 .952 .972 .969 .979 .998 .977 .917 .976
adgan-mnist;   IsolationForest; .887 .993 .730 .858 .883 .818 .854 .917 .806 .895
adgan-mnist;   GMM;             .954 .997 .896 .891 .955 .941 .983 .938 .916 .960
adgan-mnist;   PCA residual;    .993 .999 .920 .952 .942 .970 .986 .968 .833 .962
study-mnist;   KDE;             .988 .446 .972 .961 .874 .958 .954 .809 .969 .822
study-mnist;   1-NN, PCA;       .988 .446 .972 .960 .875 .957 .954 .808 .969 .823
study-mnist;   1-NN;            .981 .433 .974 .943 .841 .949 .947 .782 .954 .731
study-mnist;   LOF;             .939 .770 .980 .893 .952 .932 .950 .951 .952 .888
study-mnist;   IsolationForest; .889 .280 .759 .712 .614 .702 .759 .656 .661 .463
study-mnist;   GMM;             .974 .495 .958 .890 .866 .893 .927 .767 .902 .626
study-mnist;   PCA residual;    .774 .293 .879 .644 .622 .767 .822 .600 .803 .490
adgan-cifar10; KDE;             .704 .520 .689 .509 .767 .487 .768 .547 .680 .495
adgan-cifar10; 1-NN, PCA;       .727 .547 .699 .526 .773 .514 .784 .579 .707 .515
adgan-cifar10; PCA residual;    .676 .342 .666 .543 .698 .553 .564 .453 .706 .342
study-cifar10; KDE;             .446 .696 .401 .608 .323 .640 .359 .615 .519 .713
study-cifar10; 1-NN, PCA;       .455 .715 .418 .621 .337 .655 .378 .632 .529 .727
study-cifar10; PCA residual;    .402 .741 .370 .501 .329 .519 .499 .633 .378 .707
"""
LINES = [[part.strip() for part in line.split(";")] for line in REFERENCE.strip().splitlines()]
ROWS = {suite: read(RESULTS / f"{suite}.jsonl") for suite in {line[0] for line in LINES}}


def cells(suite: str, label: str, figures: str) -> dict[str, tuple[float, float | None]]:
    """The reference and our AUROC of the first seed at paper length, by class."""
    rows = [r for r in ROWS[suite] if (r["label"], r["budget"], r["seed"]) == (label, "paper", 0)]
    ours = {r["class"]: r["metrics"]["auroc"] for r in rows}
    classes = protocols.PROTOCOLS[SUITES[suite].protocol].classes
    return {c: (float(figure), ours.get(c)) for c, figure in zip(classes, figures.split(), strict=True)}


RANDOM = "each random start ends elsewhere; three seeds of ours differ by"
#: lines that something other than the method sets apart: the largest difference of a cell and of the mean, and why
WIDER = {
    ("adgan-mnist", "IsolationForest"): (0.04, 0.01, f"{RANDOM} .06 on digit 0"),
    ("study-mnist", "IsolationForest"): (0.17, 0.01, f"{RANDOM} .12 on digit 1"),
    ("adgan-mnist", "GMM"): (0.02, 0.01, f"{RANDOM} .02 on digit 2"),
    ("study-mnist", "GMM"): (0.055, 0.012, "fitted to a part; two draws of 6,000 samples differ by .18 on digit 9"),
    ("study-cifar10", "KDE"): (0.015, 0.011, "another bandwidth: .696 on automobiles lies between ours at 2.8 and 4"),
    ("adgan-cifar10", "1-NN, PCA"): (0.035, 0.021, "its PCA saw all classes; with such a one our splits agree to .001"),
}


@pytest.mark.parametrize(("suite", "label", "figures"), LINES, ids=[f"{a}-{b}" for a, b, _ in LINES])
def test_measured_rows_agree_with_the_reference(suite, label, figures):
    line = cells(suite, label, figures)
    measured = {c: (theirs, ours) for c, (theirs, ours) in line.items() if ours is not None}
    missing = sorted(set(line) - set(measured))
    assert not missing, f"{suite}, {label}: no row of {missing}"
    cell, mean, why = WIDER.get((suite, label), (TOLERANCE, TOLERANCE, "nothing differs but the code"))
    off = {c: pair for c, pair in measured.items() if abs(pair[0] - pair[1]) > cell}
    assert not off, f"{suite}, {label}, class: (reference, ours): {off}; {why}"
    if not missing:
        assert abs(sum(a - b for a, b in measured.values())) / len(measured) <= mean
        assert (max(abs(a - b) for a, b in measured.values()) > TOLERANCE) == ((suite, label) in WIDER)


def kdd99(label: str) -> list[dict[str, float]]:
    """Metrics at paper length, a row a seed."""
    rows = read(RESULTS / "fencegan-kdd99.jsonl")
    found = [r["metrics"] for r in rows if (r["label"], r["budget"]) == (label, "paper")]
    assert found
    return found


def test_nearest_neighbour_on_kdd99():
    for row in kdd99("1-NN"):
        ours = [row[name] for name in ("precision", "recall", "f1", "auroc")]
        assert ours == pytest.approx([0.980, 0.995, 0.988, 0.999], abs=0.005)


def test_isolation_forest_on_kdd99():
    """Recall and F1 (.952 and .932) are not compared: the reference flags a fortieth more, for scores tie at the cut.

    Two lines cannot be had from what is said of them. PCA on raw columns hangs on its arithmetic, for counts of bytes
    reach 7e8: the F1 of 10 directions lies between .87 and .95 by norm, solver and precision, with the reference (.945)
    inside. A mixture of 4 on 10 directions of min-max columns has .893 in scikit-learn itself, on all rows of the
    reference's split and with any of three seeds; .921 is printed, and ours has .899 to .910 over five splits.
    """
    rows = kdd99("IsolationForest")
    assert len(rows) == 5
    for name, figure in (("precision", 0.913), ("auroc", 0.989)):
        assert sum(row[name] for row in rows) / len(rows) == pytest.approx(figure, abs=0.005)
