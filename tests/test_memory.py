"""Fitting on a memmap of 8 GB of images stays under 2 GB of resident memory above the imports."""

import subprocess
import sys

import pytest

FIT = """
import resource, sys, numpy as np, torch, ganad
from ganad import AutoEncoder
path, n = sys.argv[1], int(sys.argv[2])
def peak():  # VmHWM: ru_maxrss would include the process that started this one
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1e6
AutoEncoder(epochs=1, latent_dim=8, verbose=0).fit(np.zeros((64, 32, 32, 3), np.uint8))
before = peak()
x = np.lib.format.open_memmap(path, mode="r")
assert len(x) == n

class Quick(AutoEncoder):
    # one pass over 8 GB is an hour of convolutions; the reading is what is measured, so they are left out
    def training_step(self, batches):
        x = next(batches).mean((2, 3))
        yield "autoencoder", dict(loss=self.nets_.autoencoder[-2].bias.sum() * x.mean())

detector = Quick(epochs=1, batch_size=1024, latent_dim=8, random_state=0).fit(x)
detector.anomaly_score(x[:20_000])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_eight_gigabytes_of_images_fit_in_two(tmp_path):
    import numpy as np

    n, path = 8 * 10**9 // 3072, tmp_path / "images.npy"
    x = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 32, 32, 3))
    block = np.random.default_rng(0).integers(0, 256, (50_000, 32, 32, 3)).astype(np.uint8)
    for start in range(0, n, len(block)):
        x[start : start + len(block)] = block[: n - start]
    del x
    done = subprocess.run([sys.executable, "-c", FIT, str(path), str(n)], capture_output=True, text=True)
    path.unlink()
    assert done.returncode == 0, done.stderr
    gigabytes = float(done.stdout)
    print(f"peak above the imports: {gigabytes:.2f} GB")  # noqa: T201
    assert gigabytes < 2
