# SPDX-License-Identifier: GPL-2.0
"""Names through cifs.ko: create, open, stat, unlink and list, in directories that are full to a given size."""

import os
import shutil

from lib.proc import check

from .case import DIRECTORY_SIZES
from .measure import ROOT, mounted, timed

CREATES, OPENS, UNLINKS = 40, 200, 25


def _fill(folder, size):
    """`size` empty files, made on the server's side."""
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    for index in range(size):
        path = f"{folder}/file-{index:06}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        os.chmod(path, 0o666)


def _create(where, names):
    for name in names:
        os.close(os.open(f"{where}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def create(repeats, result, _note):
    """Rows create-*: the mean of the last CREATES before the directory has the size."""
    with mounted() as where:
        for size in DIRECTORY_SIZES:
            for turn in range(repeats):
                folder = f"grow-{size}-{turn}"
                _fill(f"{ROOT}/{folder}", size - CREATES - 3)
                # The first few pay for what the server keeps of a directory, and for the client's first look at it.
                _create(f"{where}/{folder}", [f"first-{index}" for index in range(3)])
                result(f"create-{size}", timed(_create, f"{where}/{folder}", [f"new-{index}" for index in range(CREATES)]) / CREATES / 1e3)
                check(len(os.listdir(f"{ROOT}/{folder}")) == size, "the server's own directory does not hold what was created")
                shutil.rmtree(f"{ROOT}/{folder}")


def _open_close(paths):
    for path in paths:
        os.close(os.open(path, os.O_RDONLY))


def _stat(paths):
    for path in paths:
        os.stat(path)


def _unlink(paths):
    for path in paths:
        os.unlink(path)


def _list(folder, size):
    with os.scandir(folder) as entries:
        check(sum(1 for _ in entries) == size, "the listing is not complete")


def names(repeats, result, _note):
    """Rows open-close, stat, list-4000 and unlink."""
    size = DIRECTORY_SIZES[-1]
    folder = f"{ROOT}/full"
    _fill(folder, size)
    with mounted() as where:
        paths = [f"{where}/full/file-{index * 17 % size:06}" for index in range(OPENS)]
        for name, function in {"stat": _stat, "open-close": _open_close}.items():
            function(paths)
            for _ in range(repeats):
                result(name, timed(function, paths) / len(paths) / 1e3)
        _list(f"{where}/full", size)
        for _ in range(repeats):
            result("list-4000", timed(_list, f"{where}/full", size) / 1e6)
        _unlink([f"{where}/full/file-{size - 1:06}"])
        for turn in range(repeats):
            victims = [f"{where}/full/file-{turn * UNLINKS + index:06}" for index in range(UNLINKS)]
            result("unlink", timed(_unlink, victims) / UNLINKS / 1e3)
    shutil.rmtree(folder)
