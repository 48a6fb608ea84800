"""Commands as children of one warm process: a moment of their time is a moment of their work, and not of imports."""

import atexit
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SERVER = """
import gc, importlib, json, os, sys
import torch
torch.set_num_threads(1)
import pyarrow.csv, pyarrow.parquet, sklearn.datasets, scipy.stats
import ganad, ganad.score_file
from ganad.cli import main
ganad.DETECTORS
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.collect(), gc.freeze()  # a child's collections leave alone what it shares
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(order["cwd"])
        os.environ.clear(), os.environ.update(order["environment"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        opened = {name: os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in {*order["said"]}}
        for number, name in enumerate(order["said"], 1):
            os.dup2(opened[name], number)
        code = 1
        try:
            sys.argv = ["ganad", *order["arguments"]]
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)  # an interpreter's own end takes a second, for it frees all that was imported
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Command:
    """One command that runs."""

    def __init__(self, server, pid, said):
        self.server, self.pid, self.said = server, pid, said
        self.ended = None

    def send(self, number):
        if self.ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def code(self):
        """Its exit code, or the signal that ended it as a negative number."""
        if self.ended is None:
            self.ended = int(self.server.stdout.readline())
        return self.ended

    def words(self):
        return self.said.read_text("utf-8")


class Warm:
    """A process with these modules and what every command needs imported, whose children are the commands.

    said: the file for what a command prints. A child has the environment of its order.
    """

    def __init__(self, said, *modules, **environment):
        self.said, self.environment = said, environment
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, folder, *arguments, errors=None):
        """A command in a folder; ``errors`` is a file of its own for stderr."""
        said = [str(self.said), str(errors or self.said)]
        order = dict(cwd=str(folder), said=said, environment=os.environ | self.environment)
        self.process.stdin.write(json.dumps(order | dict(arguments=[str(a) for a in arguments])) + "\n")
        self.process.stdin.flush()
        return Command(self.process, int(self.process.stdout.readline()), self.said)

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)

    def done(self, folder, *arguments):
        """Run to the end; what was said, after exit code 0."""
        command = self.start(folder, *arguments)
        code = command.code()
        assert code == 0, command.words()
        return command.words()


@functools.cache
def _server():
    """The warm process of this test process, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="ganad-said-")
    server = Warm(Path(folder.name) / "out")
    atexit.register(lambda: (server.end(), folder.cleanup()))
    return server


def run(*arguments, cwd=None):
    """Run ``ganad`` to its end: exit code, stdout and stderr. Where nothing forks it is a new process."""
    words = [str(argument) for argument in arguments]
    if sys.platform != "linux":
        return subprocess.run([sys.executable, "-m", "ganad.cli", *words], capture_output=True, text=True, cwd=cwd)
    server = _server()
    errors = server.said.with_name("errors")
    code = server.start(cwd or Path.cwd(), *words, errors=errors).code()
    return subprocess.CompletedProcess(words, code, server.said.read_text("utf-8"), errors.read_text("utf-8"))


def hidden(folder):
    """Temporary files and locks, wherever they lie."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob(".*"))
