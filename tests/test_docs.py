"""Every method has a page that says what its file says; the site builds; the guide's method works."""

import dataclasses
import importlib
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ganad import DETECTORS, KDE, Detector, FenceGAN, published
from ganad.bench import SUITES
from ganad.export import export_onnx
from ganad.figures import FIGURES
from ganad.protocols import PROTOCOLS
from ganad.settings import describe

from . import warm
from .samples import KINDS, anomalous, normal

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "methods"
PUBLIC = ("bench", "data", "mixture", "published", "report_page", "scale", "serve")


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_page_names_every_setting_and_preset_of_its_own(detector):
    page = (PAGES / f"{detector.__module__.rpartition('.')[2]}.md").read_text()
    own = [field.name for field in dataclasses.fields(detector) if field.name in detector.__annotations__]
    assert [name for name in [*own, *detector.PRESETS] if f"`{name}`" not in page] == []
    assert [s.name for s in describe(detector) if s.name in own and not s.comment] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


def test_a_page_says_what_its_defaults_are_worth_and_what_unclean_training_costs():
    def row(detector, auroc, **at):
        return {"detector": detector, "seed": 0, "auroc": auroc} | at

    tables = [row("FenceGAN", 0.5, table="a"), row("FenceGAN", 0.9, table="a"), row("FenceGAN", 0.1, table="b")]
    tables += [row("Trivial", 0.6, table="a"), row("Trivial", 0.7, table="c")]
    cells = [(0.0, 0.0), (0.0, 0.05), (0.1, 0.0), (0.1, 0.05)]
    mixed = [
        row("FenceGAN", 0.9 - share, table=name, trim=trim, share=share, flagged=trim)
        for name, whole in (("a", cells), ("b", cells[:3]))  # b is not finished
        for trim, share in whole
    ]
    page_of = runpy.run_path(str(ROOT / "scripts" / "method_pages.py"))["page"]
    unlearnt = [row("FenceGAN", 0.5, fits=fits, flagged=share) for fits, share in ((0, 0.3), (0, 0.1), (None, 0.02))]
    page = page_of("ganad.methods.fence_gan", [FenceGAN], [], None, (tables, mixed, unlearnt))
    assert "flags 2.0% of new normal samples (mean of 1 development tables; 20.0% with" in page
    assert "a mean AUROC of 0.900 on 1 development tables (1 seeds), where the distance to the mean has 0.600" in page
    assert "| a | `trim=0` | 0.900 | 0.850 |\n| a | `trim=0.1` | 0.900 | 0.850 |" in page
    assert "| b | `trim=0` | 0.900 | 0.850 |\n| b | `trim=0.1` | 0.900 |  |" in page
    assert "unclean" not in page_of("ganad.methods.fence_gan", [FenceGAN], [])


def test_the_site_builds_without_a_warning_and_a_list_ends_where_it_ends(site):
    page = (site / "methods" / "fence_gan" / "index.html").read_text()
    assert "<p>Differs from the official code:</p>" in page


def test_the_reference_holds_every_public_name(site):
    anchors = set(re.findall(r'id="(ganad[\w.]*)"', (site / "api" / "index.html").read_text()))
    public = {f"ganad.{m}.{n}" for m in PUBLIC for n in importlib.import_module(f"ganad.{m}").__all__}
    public |= {"ganad.serve.app.create_app"}  # of an extra, so that ganad.serve does not import it
    public |= {
        f"ganad.detector.base.Detector.{n}" for n, v in vars(Detector).items() if inspect.isfunction(v) and n[0] != "_"
    }
    # a function that has its file's name is found there
    assert {n for n in public if not anchors & {n, f"{n}.{n.rpartition('.')[2]}"}} == set()


def blocks(page: str, language: str = "") -> list[str]:
    text = (ROOT / "docs" / "guide" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a reader of the guide stands: beside photos and tables that have the names used there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def write_photos(folder: Path, count: int) -> None:
    images = (load_digits().images[:count] * 255 / 16).astype(np.uint8)
    for i, image in enumerate(images):
        path = folder / "photos" / ("today" if i % 10 == 0 else "normal") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def run_commands(block: str) -> str:
    """What the ``ganad`` lines of a shell block print. A fit takes two epochs."""
    printed = ""
    for line in block.splitlines():
        name, *arguments = shlex.split(line, comments=True)
        assert name == "ganad"
        shorter = ["--epochs", "2"] if arguments[0] == "fit" else []
        done = warm.run(*arguments, *shorter)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        printed += done.stdout
    return printed


def test_the_commands_for_images_work(folder):
    write_photos(folder, 600)
    assert "108 held-out samples" in run_commands(blocks("images.md")[0])
    assert "<html" in (folder / "today.html").read_text()


def test_the_python_for_images_works(folder):
    write_photos(folder, 40)
    (code,) = blocks("images.md", "python")
    scope = {}
    exec(code.replace("epochs=20", "epochs=2"), scope)
    assert "epochs=20" in code
    assert scope["scores"].shape == (4,) and scope["where"].shape == (4, 64, 64)


def test_the_python_for_an_exported_file_works(folder, capsys):
    pytest.importorskip("onnxruntime")
    x = np.random.default_rng(0).normal(size=(30, 2))
    export_onnx(KDE().fit(pd.DataFrame(x, columns=["speed", "heat"])), folder / "part.onnx")
    (code,) = blocks("serving.md", "python")
    scope = {}
    exec(code, scope)
    assert scope["score"].shape == (1,) and capsys.readouterr().out.startswith("table ['speed', 'heat'] ")


def test_the_commands_for_tables_work(folder):
    digits = load_digits()
    table = pyarrow.table(dict(zip(digits.feature_names, digits.data.T)))
    state = np.where(digits.target == 9, "worn", "ok")
    pyarrow.parquet.write_table(table.append_column("state", [state.tolist()]), folder / "sensors.parquet")
    pyarrow.csv.write_csv(table[:100], folder / "tonight.csv")
    assert "323 held-out samples" in run_commands(blocks("tables.md")[0])
    assert len((folder / "flagged.csv").read_text().splitlines()) == 101
    assert "<html" in (folder / "tonight.html").read_text()


def test_the_python_for_watching_works(folder, capsys):
    code = blocks("watching.md", "python")[0]
    assert 'load("digits").x\n' in code
    exec(code.replace('load("digits").x\n', 'load("digits").x[:300]\n'), {})
    assert len((folder / "egbad.metrics.jsonl").read_text().splitlines()) == 2
    assert list((folder / "runs" / "egbad").iterdir())
    assert capsys.readouterr().out.count("'epoch': ") == 2


def test_the_python_for_mixtures_works():
    scope = {"x": normal("table"), "x_new": anomalous("table")}
    exec(blocks("mixture.md", "python")[0], scope)
    x, x_new, model = scope["x"], scope["x_new"], scope["model"]
    assert model.score_samples(x_new).max() < np.median(model.score_samples(x))


def test_the_method_of_the_guide_works():
    code, test = blocks("method.md", "python")
    scope = {"__name__": "guide"}
    exec(code, scope)
    exec(test, scope)
    cases = [case.values for case in scope["test_contract"].pytestmark[0].args[1] if "company" in case.id]
    assert len(cases) == len(KINDS)
    for case in cases:
        scope["test_contract"](*case)
    model = scope["Denoiser"](epochs=20, random_state=0, threads=1).fit(normal("table"))
    assert model.anomaly_score(anomalous("table")).min() > np.median(model.anomaly_score(normal("table")))


def test_figures_in_the_text_are_those_of_the_rows():
    figures = runpy.run_path(str(ROOT / "scripts" / "figures.py"))
    rows, table = figures["read"](), figures["table"]
    for name in figures["PAGES"]:
        text = (ROOT / name).read_text()
        assert re.search(r"\.\d+<!-- ", text)
        assert figures["marked"](text, rows) == text
        if name in figures["PAPERS"]:
            assert figures["typed"](text) == [], name
    rows = [r for r in rows if r.get("suite") == "study-mnist"]
    assert table(rows) in (ROOT / "README.md").read_text()
    zeros = table([r for r in rows if r["class"] == "0"]).splitlines()
    assert len(zeros) > 2 and all(line.split(" | ")[2:5] == ["-", "-", "-"] for line in zeros[2:])
    assert len(table([]).splitlines()) == 2


def test_a_typed_figure_is_found_and_a_stale_one_replaced():
    figures = runpy.run_path(str(ROOT / "scripts" / "figures.py"))
    page = "AUROC .998, later 0.87 and 98.6 %, of v0.2.0, `lr=.05` and\n.999<!-- digits: LOF --> by alpha .5"
    assert figures["typed"](page) == [".998", "0.87", "98.6 %"]
    row = {"suite": "digits", "label": "LOF", "class": "0", "seed": 0, "budget": "quick", "metrics": {"auroc": 0.25}}
    suites = figures["bench"].SUITES
    rows = [figures["current"].__globals__["asked"](figures["bench"].Task(suites["digits"], "LOF", "0")) | row]
    assert ".250<!-- digits: LOF -->" in figures["marked"](page, rows)
    block = "<!-- lines digits | auroc | LOF; VAE | 0 -->\nold\n<!-- /lines -->"
    written = figures["marked"](block, [r | {"best_epoch_on_test": None} for r in rows])
    assert "| LOF | quick, 1 seed, one class | - | 0.250 | - |" in written and "| VAE | no row yet |" in written
    assert "old" not in written and "*best classical: LOF*" in written
    with pytest.raises(KeyError):
        figures["marked"](".5<!-- digits: KDE -->", rows)


def test_every_figure_of_a_paper_is_on_its_page():
    for entry in FIGURES.values():
        page = (ROOT / "docs" / "papers" / f"{entry.paper}.md").read_text()
        number = entry.number.replace("Fig.", "Figure")
        assert number in page
        assert not entry.draw or entry.name in page


def test_every_figure_that_the_five_papers_print_is_on_a_page_beside_rows_or_in_the_text():
    pages = "".join(
        (ROOT / name).read_text() for name in runpy.run_path(str(ROOT / "scripts" / "figures.py"))["PAPERS"]
    )
    beside = set()
    for suite, labels in re.findall(r"<!-- lines (\S+) \| [^|]+ \| ([^|>]+?)(?: \| [^>]+)? -->", pages):
        entry = PROTOCOLS[SUITES[suite].protocol]
        beside |= {(entry.published_as or entry.id, label) for label in labels.split("; ")}
    beside |= set(re.findall(r"<!-- published: (\S+): ([^:]+): ", pages))
    printed = {(f.protocol, f.method) for f in published.load() if f.provenance == "seed"}
    assert printed and printed - beside == set()
