"""A photo of 4,000 x 3,000 pixels in colour is scored in less than 1 GB of resident memory above the imports."""

import subprocess
import sys

import pytest

from ganad.nets.backbone_weights import PACKAGES

SCORE = """
import sys, numpy as np, torch, ganad
from ganad import FenceGAN, Gaussian, NearestNeighbor
from ganad.photos import Backbone, Regions, Tiles

def peak():  # VmHWM: ru_maxrss would include the process that started this one
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1e6

inner, view = {
    "backbone": (NearestNeighbor(k=1), Backbone()),
    "auto": (Gaussian(apart=True), Backbone(layers=(0, 3), cells=24)),
    "tiles": (FenceGAN(epochs=1), Tiles(64, 32)),
}[sys.argv[1]]
draw = np.random.default_rng(0).integers
small, large = [draw(0, 256, (500, 600, 3), np.uint8) for _ in range(12)], [draw(0, 256, (3000, 4000, 3), np.uint8)]
before = peak()
most = 400_000 if sys.argv[1] == "auto" else 10_000
detector = Regions(inner, view, max_regions=most, random_state=0, device="cpu", verbose=0).fit(small)
fitted = peak()
assert detector.explain(large).shape == (1, 3000, 4000)
print(fitted - before, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("view", ["backbone", "auto", "tiles"])
def test_a_photo_of_twelve_megapixels_takes_less_than_a_gigabyte(view):
    if view != "tiles":
        name = "efficientnet-lite2" if view == "auto" else "efficientnet-lite0"
        pytest.importorskip(PACKAGES[name].module, reason="ganad[backbone] is not installed")
    done = subprocess.run([sys.executable, "-c", SCORE, view], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fitted, scored = map(float, done.stdout.split())
    print(f"peak above the imports: {fitted:.2f} GB after the fit, {scored:.2f} GB after the photo")  # noqa: T201
    assert scored < 1
