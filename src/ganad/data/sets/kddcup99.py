"""KDDCUP99, the 10 % file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Progress, Samples, numeric_table

if TYPE_CHECKING:
    import pyarrow

URL = "http://kdd.ics.uci.edu/databases/kddcup99/kddcup.data_10_percent.gz"
ROWS, NORMAL = 494_021, 97_278
#: The 41 features in file order; the seven categorical ones are one-hot encoded, 34 + 87 = 121 columns.
FEATURES = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins "
    "logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files "
    "num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate "
    "srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count "
    "dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate "
    "dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate"
).split()
CATEGORICAL = "protocol_type service flag land logged_in is_host_login is_guest_login".split()


def kddcup99(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """494,021 connections, 121 features, the attack's name or "normal" as class.

    34 numeric columns come first, in file order, then the one-hot codes of the seven categorical ones, values in
    alphabetical order over the whole file. In the papers the attacks are the normal class.

    Raises InputError for a missing or damaged file.
    """
    path = fetch(
        "kddcup99",
        "kddcup.data_10_percent.gz",
        data_dir,
        url=URL,
        other_names=["kddcup.data_10_percent", "kddcup.data_10_percent_corrected"],
        progress=progress,
    )
    table = _read(path)
    label = np.char.rstrip(table["label"].to_numpy().astype(str), ".")
    if table.num_rows != ROWS or int((label == "normal").sum()) != NORMAL:
        raise InputError(f"{path}: {table.num_rows:,} rows, not the {ROWS:,} of the 10 % file; download it again")
    x, columns = _encoded(table)
    return numeric_table(x, label, columns)


def _read(path: Path) -> pyarrow.Table:
    import pyarrow
    import pyarrow.csv

    types = {name: pyarrow.string() if name in CATEGORICAL else pyarrow.float64() for name in FEATURES}
    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(column_names=[*FEATURES, "label"]),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types),
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: not the KDDCUP99 file or damaged ({error}); download it again") from error


def _encoded(table: pyarrow.Table) -> tuple[np.ndarray, list[str]]:
    """The features as float64 (n, 121), and the columns' names."""
    columns = [name for name in FEATURES if name not in CATEGORICAL]
    numeric, codes = len(columns), []
    for name in CATEGORICAL:
        coded = table[name].combine_chunks().dictionary_encode()
        values = coded.dictionary.to_pylist()
        rank = np.argsort(np.argsort(values))
        codes.append(len(columns) + rank[coded.indices.to_numpy()])
        columns += [f"{name}={value}" for value in sorted(values)]
    x = np.zeros((table.num_rows, len(columns)))  # filled in place, because stacking parts would need twice the memory
    for i, name in enumerate(columns[:numeric]):
        x[:, i] = table[name].to_numpy()
    rows = np.arange(len(x))
    for code in codes:
        x[rows, code] = 1
    return x, columns
