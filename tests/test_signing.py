"""The commands with which the guide signs and checks a model do so."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ganad import AutoEncoder

from .samples import fitted

GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "serving.md"
COMMANDS = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8").partition("## Who wrote a model")[2], re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("ssh-keygen"), reason="needs OpenSSH and a shell")
def test_a_signed_model_passes_and_an_altered_one_does_not(tmp_path):
    def run(command):
        options = dict(cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return subprocess.run(command, shell=True, **options)

    make, sign, trust, check = COMMANDS
    fitted(AutoEncoder, "table").save(tmp_path / "part.safetensors")
    for command in (make.strip() + " -N ''", sign, trust):
        assert run(command).returncode == 0
    check = check.replace("ganad serve", "echo served")
    good = run(check)
    assert good.returncode == 0 and "served" in good.stdout
    data = (tmp_path / "part.safetensors").read_bytes()
    (tmp_path / "part.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    altered = run(check)
    assert altered.returncode == 255
    assert "Signature verification failed: incorrect signature" in altered.stdout + altered.stderr
    assert "served" not in altered.stdout
    (tmp_path / "part.safetensors").write_bytes(data)
    elsewhere = run(check.replace("-n ganad-model", "-n file"))
    assert elsewhere.returncode == 255
