# SPDX-License-Identifier: GPL-2.0
"""Names in directories that are full to a given size. A round creates files, lists, opens, looks at, renames and removes files; the
directory is afterwards as it was before."""

import os
import shutil

from lib import client
from lib.proc import Skip, check

from . import load
from .case import DIRECTORIES, NAMERS, NAMES
from .measure import ROOT, UNCACHED, Spent, mounted, timed

MODES = {"cifs": {}, "cifs-posix": {"posix": True}}


def _fill(folder, count):
    """Empty files, made on the server's side."""
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    before = os.umask(0)
    for index in range(count):
        os.mknod(f"{folder}/file-{index:06}", 0o100666)
    os.umask(before)


class Round:
    """The steps of a round in a directory of a mount."""

    def __init__(self, where, files, count):
        self.where, self.files, self.count = where, files, count
        self.new = [f"{where}/new-{index}" for index in range(count)]
        self.renamed = [f"{where}/renamed-{index}" for index in range(count)]
        # From all over the directory, as the load generator chooses.
        self.old = [f"{where}/file-{index * 7919 % files:06}" for index in range(count)]

    def step(self, name):
        """Does one step."""
        if name == "create":
            for path in self.new:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        elif name == "open-close":
            for path in self.old:
                os.close(os.open(path, os.O_RDONLY))
        elif name == "stat":
            for path in self.old:
                os.stat(path)
        elif name == "rename":
            for old, new in zip(self.new, self.renamed):
                os.rename(old, new)
        elif name == "unlink":
            for path in self.renamed:
                os.unlink(path)
        else:
            with os.scandir(self.where) as entries:
                check(sum(1 for _ in entries) == self.files + self.count, "the listing is not complete")


STEPS = ("create", "readdir", "open-close", "stat", "rename", "unlink")


def _scale(step, nanoseconds, pieces):
    """In the row's unit: the time of one name, or of one listing."""
    return nanoseconds / 1e6 if NAMES[step][0][0] == "ms" else nanoseconds / pieces / 1e3


def _check_posix():
    """Skip unless a mount with the POSIX extensions succeeds and has them."""
    result = client.try_mount("share", **UNCACHED, **MODES["cifs-posix"])
    if result.status != 0:
        raise Skip(f"a mount with POSIX extensions fails: {result.output.splitlines()[0]}")
    with open("/proc/mounts", encoding="utf-8") as file:
        options = next(line.split()[3] for line in file if line.split()[1] == client.MOUNT)
    client.umount()
    if "posix" not in options.split(","):
        raise Skip("the server has no POSIX extensions")


def _by_cifs(namer, size, repeats, results):
    count, rounds = DIRECTORIES[size]
    if namer == "cifs-posix":
        _check_posix()
    with mounted(**MODES[namer]) as where:
        # The first few pay for what the server keeps of a directory, and for the client's first look at it.
        first = Round(f"{where}/full", size - count, min(2, count))
        for step in STEPS:
            first.step(step)
        work = Round(f"{where}/full", size - count, count)
        for _ in range(repeats):
            sums = dict.fromkeys(STEPS, Spent())
            for _ in range(rounds):
                for step in STEPS:
                    sums[step] += timed(work.step, step)
            for step, spent in sums.items():
                results.value(f"{namer}-{step}-{size}", _scale(step, spent.elapsed / rounds, count), waited=spent.waited)


def _by_load(size, repeats, results):
    count, rounds = DIRECTORIES[size]
    for one in load.samples("names", "full", "--files", size - count, "--count", count, "--rounds", rounds, "--repeats", repeats):
        results.value(f"load-{one.case}-{size}", _scale(one.case, one.server / rounds, one.count / rounds), **one.parts)


def run(rows, repeats, results):
    """Rows of the directories of one size."""
    size = rows[0].how["size"]
    folder = f"{ROOT}/full"
    _fill(folder, size - DIRECTORIES[size][0])
    try:
        for namer in NAMERS:
            _by(namer, [row for row in rows if row.how["namer"] == namer], size, repeats, results)
    finally:
        shutil.rmtree(folder)


def _by(namer, rows, size, repeats, results):
    try:
        if rows and namer == "load":
            _by_load(size, repeats, results)
        elif rows:
            _by_cifs(namer, size, repeats, results)
    except Skip as reason:
        for row in rows:
            results.unsupported(row.name, str(reason))
