"""Model files made to harm, for benchmarks/hostile.py: their checksums are right and their content is not."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ganad

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "0.1"
#: The golden files that are altered: state of every type, images, mixtures, trees, a generator of another method.
BASES = (
    "vae-table vae-images kde-named-table autoencoder-text-table igmm-gan-table adgan-from-vae-table "
    "isolationforest-table dagmm-images ocan-lstm-table"
).split()


class Raw(NamedTuple):
    """A tensor as the file holds it."""

    dtype: str
    shape: list[int]
    data: bytes


@dataclass(frozen=True)
class Base:
    """A golden file in its parts, and its answers."""

    name: str
    header: dict[str, Any]
    tensors: dict[str, Raw]
    x: np.ndarray
    scores: list[float]
    threshold: float | None
    format: str = "1"  #: 1, whose files vouch for no scores, or the present one
    rows: str = ""  #: the samples as a CSV file, where the model has a recipe of tables

    @property
    def unaltered(self) -> bytes:
        """The file itself, as the alterations write it."""
        return with_header(self, {})


class Copy(NamedTuple):
    """An altered file."""

    family: str
    what: str
    data: bytes
    possible: bool = False  #: a fit could have left it, and nothing in the file says otherwise


# -- files -----------------------------------------------------------------------------------------------------------


def read_base(name: str, now: bool = False) -> Base:
    """One of the golden files, in parts that can be altered; ``now``: as this version writes it again."""
    path = GOLDEN / f"{name}.safetensors"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ganad.errors.OtherVersion)
        if now:
            path = Path(folder) / "again.safetensors"
            ganad.load(GOLDEN / f"{name}.safetensors", device="cpu").save(path)
        data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    metadata = entries.pop("__metadata__")
    tensors = {}
    for key, entry in entries.items():
        start, stop = entry["data_offsets"]
        tensors[key] = Raw(entry["dtype"], entry["shape"], data[end + start : end + stop])
    golden = json.loads((GOLDEN / "scores.json").read_text("utf-8"))
    said = golden["models"][f"{name}.safetensors"]
    x = np.array(golden["inputs"][said["inputs"]], np.uint8 if name.endswith("images") else np.float32)
    header, form = json.loads(metadata["ganad"]), metadata["ganad_format"]
    return Base(name, header, tensors, x, said["scores"], said["threshold"], form, rows_of(header, x))


def rows_of(header: dict[str, Any], x: np.ndarray) -> str:
    """The CSV file that the model's recipe reads as ``x``; empty without a recipe."""
    lines = [[] for _ in range(len(x) + 1)]
    start = 0
    for column in header["state"].get("source_", {}).get("value", {}).get("columns", []):
        texts = column.get("categories") or []
        cells = x[:, start : start + (len(texts) or 1)]
        start += cells.shape[1]
        written = [texts[row.argmax()] if texts else repr(float(row[0])) for row in cells]
        for line, cell in zip(lines, [column["name"], *written]):
            line.append(cell)
    return "\n".join(map(",".join, lines)) + "\n" if lines[0] else ""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pack(tensors: dict[str, Raw], text: str, form: str, metadata: dict[str, str | None] | None = None) -> bytes:
    """A safetensors file with right checksums of the header; ``None`` leaves a field of the metadata out."""
    fields = {"ganad": text, "ganad_format": form, "ganad_sha256": sha256(text.encode("utf-8", "surrogatepass"))}
    fields |= metadata or {}  # type: ignore[arg-type]
    entries: dict[str, Any] = {"__metadata__": {k: v for k, v in fields.items() if v is not None}}
    at = 0
    for key, raw in tensors.items():
        entries[key] = {"dtype": raw.dtype, "shape": raw.shape, "data_offsets": [at, at + len(raw.data)]}
        at += len(raw.data)
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + b"".join(raw.data for raw in tensors.values())


def with_header(base: Base, change: dict[str, Any], tensors: dict[str, Raw] | None = None) -> bytes:
    """The file with other top-level keys in its header, or other tensors, and the checksums made right."""
    kept = base.tensors if tensors is None else tensors
    header = base.header | {"sha256": {k: sha256(raw.data) for k, raw in kept.items()}} | change
    return pack(kept, json.dumps({k: v for k, v in header.items() if v is not Missing}), base.format)


class Missing:
    """Stands for a key that is left out."""


# -- alterations -----------------------------------------------------------------------------------------------------

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
UNLIKE: tuple[Any, ...] = (
    *(None, True, 5, -1, 1.5, float("nan"), float("inf"), 10**400, "", "x", "../x", ESCAPE, "\ud800", "x" * 100_000),
    *([], [[]], [None], {}, {"a": {}}, [1] * 10_000),
)
WILD: dict[str, tuple[Any, ...]] = {
    "threads": (0, -1, 10**3, 10**6, 2**31, 2**63, 2**70, "4"),
    "score_batch_size": (0, -1, 10**6, 10**9, 2**31, 2**62, 2**70, 1.5),
    "latent_dim": (0, -1, 1, 10**4, 10**9, 2**31, 2**62, 2**70),
    "width": (0, -1, 10**4, 10**9, 2**62, 2**70),
    "code_dim": (0, -1, 10**9, 2**62, 2**70),
    "hidden": ([0], [-1], [10**9], [2**62], [2**70], [1] * 10_000, [[4]], ["4"]),
    "image_size": (0, -1, 1, 4, 8, 10**4, 10**9, 2**62),
    "n_seeds": (0, -1, 10**6, 10**9, 2**62),
    "search_steps": (-1, 10**5, 10**9, 2**70),
    "n_draws": (0, -1, 10**6, 10**9, 2**62),
    "n_components": (0, -1, 10**9, 2**62),
    "n_trees": (0, 10**9),
    "memory_budget_mb": (0, -1, 10**12, 2**70),
    "sequence_shape": ([0, 0], [2], [2, 2, 2], [-2, -2], [4, 1], [2**40, 2**40]),
    "variant": ("../x", "__class__", "MIXTURE", "mixture ", ["elbo"], ESCAPE),
    "device": ("cuda:99", "meta", "../x", "cpu:7", "mps", ESCAPE),
    "precision": ("bf16", "fp64", "../x"),
    "scaling": ("minmax", "../x"),
    "network": ("../x", "torch.nn.Linear", {"class": "os.system"}),
    "reducer": ("alexnet", "../x"),
    "weights": ("/etc/passwd", "http://127.0.0.1/x", "../x"),
    "random_state": (-1, 2**32, 2**70, "0"),
    "contamination": (-1, 2, 1e300),
    "psi_scale": ("../x",),
    "epochs": (-1, 2**70),
    "verbose": (-1, 2**70),
}
#: What a key of the state must never replace, or could not be.
RESERVED = (
    "score_batch build fit restored place nets_ scaling_ device_ dtype_ anomaly_score to_network _score _map_chunks "
    "set_scaling get_params check_settings __class__ __dict__ __init__ generator_of_ TRANSIENT threshold_ calibration_ "
    "mixture_ clusters_ norms_ _placed offset_ starts_ rate features variant threads"
).split()


def texts() -> Iterator[tuple[str, str]]:
    """Headers that are not what a header is."""
    for text in ("[]", "null", "5", '"x"', "true", "NaN", "-Infinity", "", " ", "{", "{}", "[1", '{"kind": "model"}'):
        yield text or "empty", text
    yield "list nested 10,000 deep", "[" * 10_000 + "]" * 10_000
    yield "object nested 10,000 deep", '{"a":' * 10_000 + "1" + "}" * 10_000
    yield "number of 5,000 digits", "9" * 5_000
    yield "object with a number of 5,000 digits", '{"kind": ' + "9" * 5_000 + "}"
    yield "kind of 5,000 digits in quotes", json.dumps({"kind": "9" * 5_000})
    yield "byte order mark", "\ufeff{}"
    yield "escape sequences", ESCAPE
    yield "kind with escape sequences", json.dumps({"kind": ESCAPE}, ensure_ascii=False)


def headers(base: Base) -> Iterator[Copy]:
    """The header as a whole, and inside a header that is right elsewhere."""
    for what, text in texts():
        yield Copy("header", what, pack(base.tensors, text, base.format))
    deep = "[" * 10_000 + "]" * 10_000
    for key in ("settings", "state", "clip", "versions", "extra"):
        for what, value in (("10,000 deep", deep), ("5,000 digits", "9" * 5_000)):
            text = json.dumps(base.header | {key: "PLACE"}).replace('"PLACE"', value)
            yield Copy("header", f"{key}: {what}", pack(base.tensors, text, base.format))


def keys(base: Base) -> Iterator[Copy]:
    """Keys that are missing, added or of another type."""
    for key in base.header:
        yield Copy("missing key", key, with_header(base, {key: Missing}))
        for value in UNLIKE:
            yield Copy("key of another type", f"{key}={short(value)}", with_header(base, {key: value}))
    for part in ("settings", "state", *(["input"] if "input" in base.header else [])):
        inner = base.header[part]
        for key in inner:
            rest = {k: v for k, v in inner.items() if k != key}
            yield Copy("missing key", f"{part}.{key}", with_header(base, {part: rest}))
        for key in ("extra", "", "__class__", "self", ESCAPE, "x" * 10_000):
            yield Copy("added key", f"{part}.{short(key)}", with_header(base, {part: inner | {key: 5}}))
    for name in ("Detector", "OnFeatures", "VAE", "KDE", "os.system", "../x", ESCAPE, "ganad.VAE", "x" * 10_000):
        if name not in (base.header["class"], base.header["class"].rpartition(":")[2]):
            yield Copy("another class", short(name), with_header(base, {"class": name}))


def inputs(base: Base) -> Iterator[Copy]:
    """What the present format says of the input, and the scores it vouches for."""
    now = base.header.get("input", {})
    for key in now:
        for value in UNLIKE:
            if value != now[key]:
                yield Copy("input", f"{key}={short(value)}", with_header(base, {"input": now | {key: value}}))
    scores = base.header.get("scores", [])
    for i in range(len(scores)):
        for value in UNLIKE:
            if value != scores[i]:
                others = [*scores[:i], value, *scores[i + 1 :]]
                yield Copy("vouched scores", f"{i}: {short(value)}", with_header(base, {"scores": others}))
    for others in (scores[:-1], [*scores, 0.0], scores[::-1] if scores[::-1] != scores else []):
        if scores:
            yield Copy("vouched scores", f"{len(others)} of them", with_header(base, {"scores": others}))


def settings(base: Base) -> Iterator[Copy]:
    """Settings of other types and wild values."""
    now = base.header["settings"]
    for key in now:
        for value in UNLIKE:
            if value != now[key]:
                copy = with_header(base, {"settings": now | {key: value}})
                possible = base.format == "1" and is_like(value, now[key])
                yield Copy("setting of another type", f"{key}={short(value)}", copy, possible)
    for key, values in WILD.items():
        for value in values if key in now else ():
            copy = with_header(base, {"settings": now | {key: value}})
            like = base.format == "1" and is_like(value, now[key])
            yield Copy("wild setting", f"{key}={short(value)}", copy, like or value == "bf16")  # which rounds, no more


def state(base: Base) -> Iterator[Copy]:
    """Fitted attributes of other types, and ones that would replace a part of the program."""
    now = base.header["state"]
    for key, entry in now.items():
        for value in UNLIKE:
            copy = with_header(base, {"state": now | {key: value}})
            yield Copy("state of another type", f"{key}: {short(value)}", copy)
            for way in ("value", "tuple", "strings", "array"):
                if {way: value} != entry:
                    copy = with_header(base, {"state": now | {key: {way: value}}})
                    like = way == "value" and is_like(value, entry.get("value"))
                    possible = like and (base.format == "1" or key == "offset_")
                    yield Copy("state of another type", f"{key}: {way}={short(value)}", copy, possible)
    for key in RESERVED:
        for value in (5, None, "x", [], {"class": "VAE", "settings": {}}):
            copy = with_header(base, {"state": now | {key: {"value": value}}})
            possible = key == "offset_" and value == 5
            yield Copy("state named like the program", f"{key}={short(value)}", copy, possible)


def arrays(base: Base) -> Iterator[Copy]:
    """Tensors of other shapes, types and values."""
    weights = [key for key in base.tensors if key.startswith("nets/")][:4]
    for key in [k for k in base.tensors if not k.startswith("nets/")] + weights:
        family = "weights" if key.startswith("nets/") else "array"
        for what, raw in other_tensors(base.tensors[key]):
            # the scores that a file vouches for are held to 5 % where each is a search
            possible = (base.format == "1" or base.name.startswith("adgan")) and is_possible(key, what)
            yield Copy(family, f"{key}: {what}", with_header(base, {}, base.tensors | {key: raw}), possible)
        rest = {k: v for k, v in base.tensors.items() if k != key}
        yield Copy(family, f"{key}: missing", with_header(base, {}, rest))
        yield Copy(family, f"{key}: renamed", with_header(base, {}, rest | {key + ESCAPE: base.tensors[key]}))
    for name in ("nets/extra", "extra", "state/score_batch", "", "nets/", ESCAPE, "x" * 10_000, "scaling/clip"):
        extra = Raw("F32", [1], b"\0\0\0\0")
        yield Copy("added tensor", short(name), with_header(base, {}, base.tensors | {name: extra}))


def is_like(value: Any, known: Any) -> bool:
    """Whether a number or a truth value is of the kind of a known one and of an ordinary size."""
    if isinstance(value, bool) or isinstance(known, bool):
        return isinstance(value, bool) and isinstance(known, bool)
    kinds = (int, float) if isinstance(known, float) else int
    return isinstance(known, int | float) and isinstance(value, kinds) and abs(value) < 2**63


def is_possible(key: str, what: str) -> bool:
    """Whether a fit may leave such numbers: nothing or zeros, and in a scaling whatever is finite and positive."""
    if what in ("first value 0", "all values 0"):
        return key != "scaling/scale"
    return (key == "scaling/shift" and "1e+38" in what) or (key == "scaling/scale" and what.endswith(" 1e+38"))


_TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def other_tensors(raw: Raw) -> Iterator[tuple[str, Raw]]:
    """A tensor with another shape, another type or values that no fit leaves."""
    kind = np.dtype(_TYPES[raw.dtype])
    array = np.frombuffer(raw.data, kind).reshape(raw.shape)
    shapes = {
        "empty": np.zeros((0, *array.shape[1:]), kind),
        "nothing at all": np.zeros(0, kind),
        "one number": np.zeros((), kind),
        "flat": array.ravel(),
        "transposed": np.ascontiguousarray(array.T),
        "an axis more": array[None],
        "an axis at the end": array[..., None],
        "twice as long": np.concatenate([np.atleast_1d(array)] * 2),
        "one shorter": np.atleast_1d(array)[:-1],
        "a thousand times as long": np.concatenate([np.atleast_1d(array)] * 1000) if array.size < 5000 else array[None],
        "twenty axes": array.reshape(*array.shape, *[1] * (20 - array.ndim)),
    }
    for what, other in shapes.items():
        if other.shape != array.shape:
            yield what, raw._replace(shape=list(other.shape), data=other.tobytes())
    for name, dtype in zip("F16 F32 F64 I8 U8 I32 I64".split(), "f2 f4 f8 i1 u1 i4 i8".split()):
        if name != raw.dtype:
            with np.errstate(all="ignore"):
                yield f"as {name}", Raw(name, raw.shape, array.astype(dtype).tobytes())
    yield "as BOOL", Raw("BOOL", raw.shape, (array > 0).tobytes())
    yield "as BF16", Raw("BF16", raw.shape, (np.frombuffer(array.astype("f4").tobytes(), "u2")[1::2]).tobytes())
    values = (np.nan, np.inf, -np.inf, 1e38, -1e38, 0) if kind.kind == "f" else (-1, 2**62, -(2**62), 10**6)
    for value in values:
        if array.size and not (array == value).all():
            one = array.copy()
            one.flat[0] = value
            yield f"first value {value}", raw._replace(data=one.tobytes())
            yield f"all values {value}", raw._replace(data=np.full_like(array, value).tobytes())


def formats(base: Base) -> Iterator[Copy]:
    """The fields around the header, and the container itself."""
    text = json.dumps(base.header)
    for field in ("ganad_format", "ganad_sha256", "ganad"):
        for value in (None, "", "3", "2", "1", "1.0", " 1", "1\n", "-1", ESCAPE, "\u202e1", "9" * 10_000, "../x"):
            yield Copy("format field", f"{field}={short(value)}", pack(base.tensors, text, base.format, {field: value}))
    good = pack(base.tensors, text, base.format)
    head = int.from_bytes(good[:8], "little")
    for size in (0, 1, 7, head - 1, head + 1, len(good), 2**31, 2**63, 2**64 - 1):
        yield Copy("container", f"header of {size} bytes", size.to_bytes(8, "little") + good[8:])
    yield Copy("container", "bytes after the end", good + b"more")
    entries = json.loads(good[8 : 8 + head])
    first, second, *_ = [key for key in entries if key != "__metadata__"]
    changes: dict[str, Any] = {
        "overlapping": {second: entries[first]},
        "shape of 2^62": {first: entries[first] | {"shape": [2**62, 4]}},
        "shape overflows": {first: entries[first] | {"shape": [2**63, 2]}},
        "negative shape": {first: entries[first] | {"shape": [-1]}},
        "offsets backwards": {first: entries[first] | {"data_offsets": [8, 0]}},
        "offsets far away": {first: entries[first] | {"data_offsets": [2**40, 2**40 + 8]}},
        "unknown type": {first: entries[first] | {"dtype": "OBJECT"}},
        "metadata of numbers": {"__metadata__": {"ganad": 5, "ganad_format": 1}},
        "metadata a list": {"__metadata__": []},
        "metadata nothing": {"__metadata__": None},
    }
    for what, change in changes.items():
        new = json.dumps(entries | change).encode()
        yield Copy("container", what, len(new).to_bytes(8, "little") + new + good[8 + head :])


def copies(base: Base) -> Iterator[Copy]:
    """Every altered copy of a file."""
    for make in (headers, keys, inputs, settings, state, arrays, formats):
        yield from make(base)


def short(value: Any) -> str:
    """A value for a list, without what a terminal would obey."""
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of many digits"
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)})"
