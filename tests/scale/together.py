"""One process of a fit on several: ``python -m tests.scale.together FOLDER NAME/KIND ...``.

Fits each named detector, made small, to the same samples, and writes history and scores to FOLDER.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import ganad
from ganad import registry
from ganad.testing import normal, small
from ganad.training import joined

COMMON = dict(epochs=2, batch_size=48, noise_sd=0.1, precision="fp32", verbose=0)
#: On top of that, so that the loop's own parts are seen as well: clipping, averaging and early stopping.
SETTINGS = {"dsebm": dict(clip_norm=1.0, ema=0.9), "vae": dict(patience=1)}


def main(folder: Path, cases: list[str]) -> None:
    warnings.simplefilter("ignore", ganad.errors.UntrustedFit)
    with joined() as place:
        for case in cases:
            name, kind = case.split("/")
            x = normal(kind)[:190]
            detector = small(registry.get(name), **COMMON | SETTINGS.get(name, {}))
            detector.fit(x)
            weights = b"".join(v.numpy().tobytes() for v in detector.nets_.state_dict().values())
            path = folder / f"{name}.{kind}.{place.number}.json"
            rows = [{k: v for k, v in row.items() if k != "seconds"} for row in detector.history_]
            said = {"history": rows, "scores": detector.anomaly_score(x[:50]).tolist()}
            path.write_text(json.dumps(said | {"weights": hashlib.sha256(weights).hexdigest()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
