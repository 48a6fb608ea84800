"""The process that reads what was made to harm, which may die of it."""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
from typing import Any


class Child:
    """A process that judges files until one of them ends it."""

    def __init__(self, errors: Any, command: list[str]) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.errors, self.command = errors, command
        self.memory: list[tuple[int, int]] = []  #: MB that a process had, and ever had, after each answer

    def ask(self, question: dict[str, Any], seconds: float) -> tuple[str, str, bool, Any]:
        """Outcome, message, whether it has control characters, and a figure."""
        if self.process is None:
            self.process = self.started()
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        if not self.answers_within(seconds):
            self.end()
            return "hang", f"no answer in {seconds:g} s", False, 0
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.process = None
            name = signal.Signals(-code).name if code < 0 else f"exit {code}"
            return "process died", name, False, 0
        outcome, message, control, length, memory = json.loads(line)
        self.memory.append(tuple(memory))
        return outcome, message, control, length

    def started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            sys.exit(f"the child process does not start; run {' '.join(self.command)} to see why")
        return process

    def answers_within(self, seconds: float) -> bool:
        """Whether a line, or the end, comes in time."""
        assert self.process and self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    @property
    def megabytes(self) -> dict[str, int]:
        """Memory of the processes: after the first file, at most, and at the end."""
        return dict(first=self.memory[0][0], most=max(most for _, most in self.memory), last=self.memory[-1][0])

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
