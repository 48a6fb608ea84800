"""What the critic learns: images of one digit are normal, and those of the others are to be found."""

import sys

from ganad.data import load
from ganad.metrics import auroc
from ganad.protocols import split
from ganad_wgan import WGAN

digits = load("digits")
for cls in sys.argv[1:] or "0123456789":
    part = split("digits-one", digits, cls)
    x, x_test = part.take(digits.x)
    detector = WGAN(epochs=200, width=32, random_state=0).fit(x)
    print(f"{cls}  AUROC {auroc(part.y_test, detector.anomaly_score(x_test)):.3f}", flush=True)
