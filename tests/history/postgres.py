"""A PostgreSQL server of a test's own: Debian's binaries, a folder under /tmp, a socket in it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, on the path or where Debian puts it."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "initdb").exists()), None)


def user() -> str | None:
    """Who may run the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A server that stops and starts."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ganad-pg", dir="/tmp"))
        self.user = user()
        if self.user:
            shutil.chown(self.folder, self.user)
        self.databases = 0
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        self.start()

    def database(self):
        """The URL of an empty one."""
        self.databases += 1
        name = f"test{self.databases}"
        with psycopg.connect(host=str(self.folder), user="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def start(self):
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self):
        """At once, as in a crash."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def remove(self):
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program, *arguments):
        command = [str(binaries() / program), "-D", str(self.folder / "data"), *arguments]
        # into a file: the server would keep a pipe open
        with tempfile.TemporaryFile() as out:
            done = subprocess.run(command, user=self.user, cwd="/tmp", stdout=out, stderr=subprocess.STDOUT)
            out.seek(0)
            assert done.returncode == 0, out.read().decode()
