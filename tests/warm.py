"""Commands as children of one warm process: a moment of their time is a moment of their work, and not of imports."""

import contextlib
import json
import os
import subprocess
import sys

SERVER = """
import importlib, json, os, sys
import torch
torch.set_num_threads(1)
import pyarrow.csv, pyarrow.parquet, sklearn.datasets, scipy.stats
import ganad, ganad.score_file
from ganad.cli import main
ganad.DETECTORS
for name in sys.argv[1:]:
    importlib.import_module(name)
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(order["cwd"])
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1), os.dup2(said, 2)
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
            os._exit(code)
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
    """A process with these modules and what every command needs imported, whose children are the commands."""

    def __init__(self, said, *modules, **environment):
        self.said = said
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, folder, *arguments):
        order = dict(cwd=str(folder), said=str(self.said), arguments=[str(a) for a in arguments])
        self.process.stdin.write(json.dumps(order) + "\n")
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


def hidden(folder):
    """Temporary files and locks, wherever they lie."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob(".*"))
