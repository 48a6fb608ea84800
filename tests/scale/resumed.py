"""One process of a fit that is stopped after two epochs, or goes on: ``python -m tests.scale.resumed FOLDER WHAT``."""

import json
import os
import signal
import sys
import warnings

import ganad
from ganad.testing import normal
from ganad.training import joined, ranks


def stop(detector):
    """What Ctrl-C does, in the process that looks at epochs."""
    if detector.history_[-1]["epoch"] == 2 and ranks().leads:
        os.kill(os.getpid(), signal.SIGTERM)


def main(folder, what):
    warnings.simplefilter("ignore", ganad.errors.UntrustedFit)
    detector = ganad.EGBAD(epochs=5, batch_size=48, latent_dim=3, random_state=0, verbose=0, threads=1)
    with joined() as place:
        try:
            detector.fit(
                normal("table"),
                checkpoint=folder,
                resume=what == "go on",
                on_epoch=stop if what == "stop" else None,
            )
        except ganad.errors.Interrupted:
            assert what == "stop"
            return
        if place.leads:
            sys.stdout.write(json.dumps(detector.anomaly_score(normal("table")).tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
