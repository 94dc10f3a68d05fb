# SPDX-License-Identifier: GPL-2.0
"""Copying a tree to the share and deleting it there, by cp and rm through cifs.ko."""

import os
import random
import shutil

from lib.proc import run as run_program

from .measure import mounted, timed

FOLDERS, FILES = 20, 15
SOURCE = "/tmp/tree"


def _make():
    """FOLDERS folders with FILES files each, of 1 byte to 32 KiB."""
    source = random.Random(300)
    for folder in range(FOLDERS):
        os.makedirs(f"{SOURCE}/folder-{folder}")
        for index in range(FILES):
            with open(f"{SOURCE}/folder-{folder}/file-{index}", "wb") as file:
                file.write(source.randbytes(source.randrange(1, 32 << 10)))


def run(_rows, repeats, results):
    """Rows cifs-tree-*."""
    _make()
    with mounted() as where:
        # Once without a figure: programs come into memory, and the server's slabs find their size.
        for turn in range(repeats + 1):
            copied = timed(run_program, "cp", "-r", SOURCE, f"{where}/tree")
            if turn == 0:
                run_program("diff", "-r", SOURCE, f"{where}/tree")
            deleted = timed(run_program, "rm", "-r", f"{where}/tree")
            if turn > 0:
                results.value("cifs-tree-copy", copied.elapsed / 1e6, waited=copied.waited)
                results.value("cifs-tree-delete", deleted.elapsed / 1e6, waited=deleted.waited)
    shutil.rmtree(SOURCE)
