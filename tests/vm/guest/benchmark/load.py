# SPDX-License-Identifier: GPL-2.0
"""The load generator of tests/load: running it, and reading what it says."""

import contextlib
import json
import subprocess

from lib import machine
from lib.proc import Failure, Skip, run

from .measure import data_file

PROGRAM = "/host/clients/ksmbd-load"
WHO = ["--user", f"{machine.USER}%{machine.PASSWORD}"]


class Sample:
    """One measurement: nanoseconds from beginning to end, of which the client ran for `client` and nothing ran for `idle`; pieces, bytes."""

    def __init__(self, case, elapsed, client, idle, count, bytes):
        self.case, self.elapsed, self.client, self.idle, self.count, self.bytes = case, elapsed, client, idle, count, bytes

    @property
    def server(self):
        """Nanoseconds that were not the client's own."""
        return self.elapsed - self.client

    @property
    def parts(self):
        """The parts of the time that were the client's own, and that were nobody's."""
        return {"client": self.client / self.elapsed, "waited": self.idle / self.elapsed}


def samples(*args):
    """Runs the generator; its measurements. Skip where the server does not support what it was to do."""
    output = run(PROGRAM, *args, *WHO, timeout=3600).output
    found = []
    for line in output.splitlines():
        said = json.loads(line)
        if "unsupported" in said:
            raise Skip(f"the server does not support {said['unsupported']}")
        found.append(Sample(**said))
    return found


class Holder:
    """The generator holding connections, sessions and open files. Use as a context manager."""

    def __init__(self, protection="plain"):
        self.args = [PROGRAM, "hold", "--protection", protection, *WHO]

    def __enter__(self):
        self.child = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.wait(timeout=600)

    def add(self, what, count):
        """`count` more of connections, sessions or opens."""
        # One that has ended already has said why.
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write(f"{what} {count}\n")
            self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        if answer.startswith("{"):
            raise Skip(f"the server does not support {json.loads(answer)['unsupported']}")
        if answer != "held":
            raise Failure(f"the load generator cannot hold {what}: {answer}")

    def own_memory(self):
        """Bytes of the generator's own memory that no file backs."""
        with open(f"/proc/{self.child.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous:"))


def blocks(rows, repeats, results):
    """Rows load-*-PROTECTION."""
    with data_file():
        for row in rows:
            how = row.how
            args = ["blocks", how["way"], "--size", how["size"], "--count", how["count"], "--depth", how["depth"], "--protection", how["protection"]]
            try:
                found = samples(*args, *(["--random"] if how["random"] else []), "--repeats", repeats)
            except Skip as reason:
                results.unsupported(row.name, str(reason))
                continue
            for one in found:
                results.value(row.name, one.count / one.server * 1e9 if how["random"] else one.bytes / one.server * 1e3, **one.parts)


def connect(rows, repeats, results):
    """The row load-connect."""
    for one in samples("connect", "--count", 20, "--repeats", repeats):
        results.value(rows[0].name, one.server / one.count / 1e3, **one.parts)
