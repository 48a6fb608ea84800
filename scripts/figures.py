"""Write the figures that README and docs quote from the rows in benchmarks/results: tables, and every marked number.

    python scripts/figures.py

A number is followed by a comment that says what it is: ``.854<!-- study-mnist: IGMMGAN -->`` is the AUROC of that line
at ``quick``, the mean over the means of its classes; ``study-mnist/paper`` is another budget, and
``study-mnist/longest`` the longest one that covers as many classes. Words after the line choose: a class (``: 1``),
``sd`` for the deviation over seeds, ``best`` for what the best epoch on the test labels would have claimed, or a metric
(``f1``, ``nonpass_accuracy``, ...). ``.955<!-- published: kdd-half: FenceGAN: f1 -->`` is a printed figure, a class or
``mean`` may follow, and in ``below<!-- order: fencegan-kdd99: FenceGAN / 1-NN: f1 -->`` the word is filled as well.

``.818<!-- small-tables: Auto -->`` is a detector's mean AUROC over the development tables (benchmarks/tables.py);
``worst`` may follow, its worst table.

The README's table is ``study-mnist`` at ``quick``. A block that begins with ``<!-- lines SUITE | METRIC, METRIC |
LINE; LINE | CLASS CLASS -->`` and ends with ``<!-- /lines -->`` is a table of these lines, published beside measured.
The README's pictures of AUROC against training time, which ``scripts/method_pages.py`` draws, are those of the papers'
GANs that have curves. The tables of the development tables, of the photos, of others' rules on them, of planted defects
and, on a paper's page, of what is not measured of it (``<!-- unmeasured study -->``) have marks of their own.
"""

from __future__ import annotations

import functools
import json
import re
import runpy
import statistics
from pathlib import Path
from typing import Any

from ganad import bench, metrics, published
from ganad.bench import curve_tables, pace
from ganad.bench.longest import Longest, Value, best_epoch, longest, metric
from ganad.bench.printed import account
from ganad.bench.recipes import Suite
from ganad.bench.rows import Row, current
from ganad.bench.rows import read as read_rows
from ganad.bench.table_lines import collect
from ganad.bench.table_text import cell
from ganad.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parent.parent
PAPERS = tuple(f"docs/papers/{name}.md" for name in ("fence-gan", "igmm-gan", "adgan", "mmoc-gan", "study"))
PAGES = ("README.md", *(f"docs/guide/{name}.md" for name in ("choosing", "ensembles", "photos")), *PAPERS)
CLASSES = ("0", "1", "5")
CURVES = ("FenceGAN", "IGMMGAN", "ADGAN", "MMOCGAN")
#: table, line, metric and classes of each paper's headline
HEADLINES = (
    ("Fence GAN, KDD99", "fencegan-kdd99", "FenceGAN", "f1", ""),
    ("Fence GAN, CIFAR-10", "fencegan-cifar10", "FenceGAN", "auroc", ""),
    ("IGMM-GAN, MNIST", "igmm-gan-mnist", "IGMMGAN", "auroc", "0 1 5"),
    ("ADGAN, MNIST", "adgan-mnist", "ADGAN", "auroc", ""),
    ("ADGAN, CIFAR-10", "adgan-cifar10", "ADGAN", "auroc", ""),
    ("MMOC-GAN, production", "mmoc-production", "MMOCGAN-cat", "f1", ""),
    ("study, MNIST", "study-mnist", "GANomaly", "auroc", "0 1 5"),
    ("study, CIFAR-10", "study-cifar10", "GANomaly", "auroc", "airplane automobile"),
)
REMEDIES = ("averaged", "stopped", "snapshots")
BASELINES = ("1-NN, PCA", "LOF", "KDE", "PCA residual", "IsolationForest", "untrained network", "random")
#: metrics by the name that a table's head shows
METRICS = {
    "auroc": "AUROC",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "pr_area_trapezoid": "AUPRC, anomalies positive",
    "pr_area_trapezoid_normal": "AUPRC, normal positive",
    "pass_accuracy": "pass accuracy",
    "nonpass_accuracy": "non-pass accuracy",
    "f1_pass_positive": "F1, pass positive",
    "balanced_accuracy": "balanced accuracy",
    "auroc_mean_region": "AUROC by the mean region",
    "pixel_auroc": "pixel AUROC",
    "aupro": "AUPRO",
    "pointing": "pointing",
}


def table(rows: list[Row]) -> str:
    """Methods by their mean, then baselines, digit by digit; a mean only where every digit has been measured."""
    suite = bench.SUITES["study-mnist"]
    chosen = [r for r in rows if r["budget"] == "quick" and r["class"] in CLASSES]
    out = [f"| method | {' | '.join(CLASSES)} | mean | trials |", "|---" * (len(CLASSES) + 3) + "|"]
    lines = []
    for line in (line for t in collect(chosen, [suite]) for line in t.lines if line.rows):
        mean = line.mean() if len(line.measured) == len(CLASSES) else None
        if not line.is_baseline or line.label in BASELINES:
            lines.append((line.is_baseline, -mean.mean if mean else 0.0, line))
    for is_baseline, mean, line in sorted(lines, key=lambda found: found[:2]):
        name = f"*{line.label}*" if is_baseline else line.label
        cells = [*(cell(line.measured.get(c)) for c in CLASSES), f"{-mean:.3f}" if mean else "-"]
        out.append(f"| {name} | {' | '.join(cells)} | {len(line.rows)} |")
    return "\n".join(out)


def written(value: float) -> str:
    """A share as the text has it: three digits, no zero before the point."""
    return f"{value:.3f}".removeprefix("0")


def figure(mark: str, rows: list[Row]) -> str:
    """The number of a mark; KeyError where no row is of that."""
    table, label, *which = mark.split(": ")
    if table == "published":
        return written(printed(label, *which))
    if table == "small-tables":
        by_table = small_tables()[label]
        return written(min(by_table.values()) if "worst" in which else statistics.mean(by_table.values()))
    suite, _, budget = table.partition("/")
    entry, budget = bench.SUITES[suite], budget or "quick"
    value: Value = next((metric(name) for name in which if name in METRICS), metric("auroc"))
    if "best" in which:
        value = best_epoch
    classes = [name for name in which if name not in (*METRICS, "best", "sd")]
    chosen = [r for r in rows if (r.get("suite"), r["label"]) == (suite, label) and budget in ("longest", r["budget"])]
    if table == "study-mnist":
        chosen = [r for r in chosen if r["class"] in CLASSES]
    if budget == "longest":
        found = longest(entry, chosen, classes)
        chosen = list(found[0].rows) if found else []
    by_class: dict[str, list[float]] = {}
    for row in current(entry, chosen):
        if (one := value(row)) is not None:
            by_class.setdefault(row["class"] or "", []).append(one)
    values = by_class[classes[0]] if classes else [metrics.mean_median_sd(v).mean for v in by_class.values()]
    if not values:
        raise KeyError(mark)
    spread = metrics.mean_median_sd(values)
    number = spread.sd if "sd" in which else spread.mean
    assert number is not None
    return written(number)


@functools.cache
def of_tables() -> dict[str, Any]:
    """What benchmarks/tables.py, a script, defines."""
    return runpy.run_path(str(ROOT / "benchmarks" / "tables.py"))


def small_tables() -> dict[str, dict[str, float]]:
    """Mean AUROC over seeds by detector and development table."""
    script = of_tables()
    cells = script["latest"](script["read_rows"](script["ROWS"]))
    return {
        method: {table: statistics.mean(row["auroc"] for row in by_seed.values()) for table, by_seed in found.items()}
        for method, found in cells.items()
    }


def photos(rows: list[Row]) -> str:
    """The lines of the magnetic tiles, by the AUROC of a photo; means over seeds."""
    suite, names = bench.SUITES["tiles"], ("auroc", "auroc_mean_region", "pixel_auroc", "aupro", "pointing")
    found = current(suite, [row for row in rows if row.get("suite") == "tiles" and row["budget"] == "quick"])
    lines = []
    for recipe in suite.recipes:
        mine = [row for row in found if row["label"] == recipe.label and "error" not in row]
        if not mine:
            continue
        values = [statistics.mean(row["metrics"][name] for row in mine) for name in names]
        cost = " | ".join(f"{statistics.median(r[name] for r in mine):.0f}" for name in ("fit_s", "score_s"))
        name = f"*{recipe.label}*" if recipe.is_baseline else recipe.label
        cells = " | ".join(f"{value:.3f}" for value in values)
        lines.append(
            (-values[0], f"| {name} | {len(mine)} | {cells} | {cost} | {max(r['peak_mb'] for r in mine):.0f} |")
        )
    head = ["line", "seeds", *(METRICS[name] for name in names), "fit s, median", "score s, median", "peak MB"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(text for _, text in sorted(lines))])


def rules() -> str:
    """PatchCore's and PaDiM's rules on the same photos (benchmarks/photos.py); means over seeds."""
    path, names = ROOT / "benchmarks" / "results" / "photos.jsonl", ("auroc", "pixel_auroc", "aupro", "pointing")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    head = ["rule", "seeds", *(METRICS[name] for name in names)]
    out = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for rule in sorted({row["rule"] for row in rows}):
        mine = [row["metrics"] for row in rows if row["rule"] == rule]
        cells = " | ".join(f"{statistics.mean(m[name] for m in mine):.3f}" for name in names)
        out.append(f"| {rule} | {len(mine)} | {cells} |")
    return "\n".join(out)


def planted() -> str:
    """How well planted defects are found (benchmarks/planted.py), by the pool."""
    path = ROOT / "benchmarks" / "results" / "planted.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    pools = list(rows[0]["auroc"])
    places = {"pixel_auroc": "pixel AUROC", "aupro": "AUPRO", "pointing": "pointing"}
    head = ["regions", "shorter side", "photos learnt", *pools, *places.values()]
    out = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in sorted(rows, key=lambda row: (-row["n_train"], row["regions"], -(row["side"] or 10_000))):
        cells = [f"{row['auroc'][pool]:.3f}" for pool in pools]
        cells += [f"{row['places'][name]:.3f}" if "places" in row else "" for name in places]  # older rows have none
        out.append(f"| {row['regions']} | {row['side'] or 'as it is'} | {row['n_train']} | {' | '.join(cells)} |")
    return "\n".join(out)


def printed(protocol: str, method: str, name: str, cls: str = "") -> float:
    """A published or computed figure, of the five papers first; KeyError for one that nobody printed."""
    order = ("seed", "paper", "repo", "computed")
    found = [f for f in published.load(protocol, method, cls, name) if f.provenance in order]
    if not found:
        raise KeyError(f"published: {protocol}: {method}: {name}: {cls}")
    return min(found, key=lambda f: order.index(f.provenance)).value


def order(mark: str, rows: list[Row]) -> str:
    """Whether the first line of a mark is above or below the second."""
    suite, lines, *which = mark.split(": ")
    first, second = (float(figure(": ".join([suite, name, *which]), rows)) for name in lines.split(" / "))
    return "above" if first > second else "below" if first < second else "level with"


def lines(mark: str, rows: list[Row]) -> str:
    """Published beside measured, last epoch beside best one, and the best plain scores."""
    name, names, labels, *classes = mark.split(" | ")
    suite, wanted = bench.SUITES[name], names.split(", ")
    kept = classes[0].split() if classes else []
    found = {line.label: line for line in longest(suite, [r for r in rows if r.get("suite") == name], kept)}
    head = ["line", "trained"]
    for one in wanted:
        head += [f"{METRICS[one]}, published", f"{METRICS[one]}, measured"]
    with_area = wanted if "auroc" in wanted else [*wanted, "auroc"]
    head += ["AUROC, last epoch"] if with_area != wanted else []
    head.append("AUROC, best epoch on test labels")
    out = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for label in labels.split("; "):
        out.append(body(suite, label, label, found.get(label), with_area, wanted, kept))
    for kind, label in best_plain(suite, found, wanted[0]):
        out.append(body(suite, f"*best {kind}: {label}*", label, found[label], with_area, wanted, kept))
    return "\n".join(out)


def headlines(rows: list[Row]) -> str:
    """Each paper's main figure: published, measured, best epoch, remedies, and the best that trains no network."""
    head = ["paper", "metric", "trained", "published", "last epoch", "AUROC: last epoch", "best epoch on test labels"]
    head += ["without labels: " + ", ".join(REMEDIES), "best without a network"]
    out = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for title, name, label, one, classes in HEADLINES:
        suite, kept = bench.SUITES[name], classes.split()
        found = {line.label: line for line in longest(suite, [r for r in rows if r.get("suite") == name], kept)}
        line, value = found.get(label), metric(one)
        cells = [title, METRICS[one], trained(line) if line else "no row yet"]
        cells += [published_cell(suite, label, kept or (line.classes if line else []), one), measured_cell(line, value)]
        cells += [measured_cell(line, metric("auroc")), measured_cell(line, best_epoch)]
        cells.append(", ".join(measured_cell(found.get(f"{label}, {what}"), metric("auroc")) for what in REMEDIES))
        plain = [(s.mean, other) for _, other in best_plain(suite, found, one) if (s := found[other].spread(value))]
        cells.append(f"{max(plain)[0]:.3f} {max(plain)[1]}" if plain else "-")
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def body(
    suite: Suite, name: str, label: str, line: Longest | None, names: list[str], wanted: list[str], kept: list[str]
) -> str:
    """One line of a table."""
    classes = kept or (line.classes if line else [])
    cells = [name, trained(line) if line else "no row yet"]
    for one in names:
        if one in wanted:
            cells.append(published_cell(suite, label, classes, one))
        cells.append(measured_cell(line, metric(one)))
    return f"| {' | '.join([*cells, measured_cell(line, best_epoch)])} |"


def trained(line: Longest) -> str:
    """Budget, seeds and classes of a line."""
    seeds = len(line.seeds)
    said = f"{line.budget}, {seeds} seed{'s' * (seeds != 1)}"
    if line.classes == [""]:
        return said
    kind = "folds" if PROTOCOLS[line.rows[0]["protocol"]].role == "fold" else "classes"
    return f"{said}, {'one class' if len(line.classes) == 1 else f'{len(line.classes)} {kind}'}"


def published_cell(suite: Suite, label: str, classes: list[str], name: str) -> str:
    """The printed figure of these classes, or of the whole protocol; "-" where none was printed."""
    entry = PROTOCOLS[suite.protocol]
    protocol = entry.published_as or entry.id
    wanted = {"fold": ["mean"]}.get(entry.role, list(classes)) if entry.classes else [""]
    try:
        return f"{metrics.mean_median_sd([printed(protocol, label, name, c) for c in wanted]).mean:.3f}"
    except (KeyError, ValueError, IndexError):
        return "-"


def measured_cell(line: Longest | None, value: Value) -> str:
    spread = line.spread(value) if line else None
    if spread is None or line is None:
        return "-"
    if len(line.classes) > 1:  # seeds of different classes are no spread
        return f"{spread.mean:.3f}"
    return cell(next(iter(line.by_class(value).values())))


def best_plain(suite: Suite, found: dict[str, Longest], name: str) -> list[tuple[str, str]]:
    """The best classical and the best trivial line by a metric, of those that cover most classes."""
    best = []
    for kind in ("classical", "trivial"):
        of_kind = [line for line in found.values() if line.is_baseline and (kind == "trivial") == trivial(suite, line)]
        widest = max((len(line.classes) for line in of_kind), default=0)
        values = {x.label: s.mean for x in of_kind if len(x.classes) == widest and (s := x.spread(metric(name)))}
        if values:
            best.append((kind, max(values, key=lambda label: values[label])))
    return best


def trivial(suite: Suite, line: Longest) -> bool:
    return suite.recipe(line.label).detector == "Trivial" or line.label.startswith("untrained")


def curves(rows: list[Row]) -> str:
    """The pictures of the papers' own GANs; empty where none has a curve."""
    drawn = [label for label in CURVES if label in curve_tables.pictures(rows)]
    if not drawn:
        return ""
    said = (
        "Does longer training help, and is the published height in sight? AUROC against minutes of one core, MNIST at "
        "the\npublished settings (`ganad curves`). Red: published. Grey: the best baseline and the best trivial score."
    )
    pictures = [
        f"![{label}: AUROC against training time](docs/assets/curves/{curve_tables.file_name(label)})"
        for label in drawn
    ]
    return "\n\n".join([said, *pictures])


def unmeasured(paper: str, rows: list[Row]) -> str:
    """What of a paper is not measured, and what it would cost."""
    return account(paper, rows, read_rows(ROOT / "benchmarks" / "results" / pace.FILE))


def marked(text: str, rows: list[Row]) -> str:
    """A page with its numbers, tables and pictures as the rows have them."""
    text = re.sub(r"[\d.]+(<!-- ([a-z0-9-]+(?:/[a-z]+)?: [^>]+) -->)", lambda m: figure(m[2], rows) + m[1], text)
    text = re.sub(r"(?:above|below|level with)(<!-- order: ([^>]+) -->)", lambda m: order(m[2], rows) + m[1], text)
    block = re.compile(r"(<!-- lines ([^>]+) -->\n).*?(\n?<!-- /lines -->)", re.DOTALL)
    text = block.sub(lambda m: f"{m[1]}{lines(m[2], rows)}\n<!-- /lines -->", text)
    lacking = re.compile(r"(<!-- unmeasured ([a-z-]+) -->\n).*?(\n<!-- /unmeasured -->)", re.DOTALL)
    text = lacking.sub(lambda m: m[1] + unmeasured(m[2], rows) + m[3], text)
    here = re.compile(r"(<!-- study-mnist -->\n).*?(\n<!-- /study-mnist -->)", re.DOTALL)
    mine = [r for r in rows if r.get("suite") == "study-mnist"]
    blocks = {
        "small-tables": lambda: of_tables()["summary"](of_tables()["read_rows"](of_tables()["ROWS"])),
        "tiles": lambda: photos(rows),
        "rules": rules,
        "planted": planted,
        "headlines": lambda: headlines(rows),
    }
    for name, made in blocks.items():
        own = re.compile(rf"(<!-- {name} -->\n).*?(\n?<!-- /{name} -->)", re.DOTALL)
        text = own.sub(lambda m: f"{m[1]}{made()}\n<!-- /{name} -->", text)  # noqa: B023  used at once
    pictures = re.compile(r"(<!-- curves -->\n).*?(\n<!-- /curves -->)", re.DOTALL)
    text = pictures.sub(lambda m: m[1] + curves(rows) + m[2], text)
    return here.sub(lambda m: m[1] + table(mine) + m[2], text)


def typed(text: str) -> list[str]:
    """Figures of a page that no row and no printed figure stands behind: everything like .95 outside of a mark."""
    text = re.sub(
        r"<!-- (lines|small-tables|tiles|rules|planted|scratch|headlines|unmeasured)\b[^>]* -->.*?<!-- /\1 -->",
        "",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    text = re.sub(r"[\d.]+<!-- [^>]+ -->", "", text)
    return re.findall(r"(?<![\w.])\d?\.\d{2,}(?![\w.])|\d+(?:\.\d+)? %", text)


def read() -> list[Row]:
    return [
        row
        for path in sorted((ROOT / "benchmarks" / "results").glob("*.jsonl"))
        for row in read_rows(path)
        if "suite" in row or "curve_of" in row
    ]


def main() -> None:
    rows = read()
    for name in PAGES:
        path = ROOT / name
        path.write_text(marked(path.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
