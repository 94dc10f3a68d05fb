# SPDX-License-Identifier: GPL-2.0
"""Work by many clients side by side, in a machine whose processors run side by side too: `make bench-smp`."""

import os

from lib import events

from . import load
from .case import SCALING
from .measure import ROOT, data_file

CLIENTS = 8


def _folders(count):
    """The folders in which each client works: those of the `names` case."""
    for number in range(CLIENTS):
        folder = f"{ROOT}/crowd-{number}"
        os.makedirs(folder)
        os.chmod(folder, 0o777)
        for index in range(count):
            path = f"{folder}/file-{index:06}"
            os.mknod(path, 0o100666)
            os.chmod(path, 0o666)


def run(names, repeats):
    """Sends pieces or bytes in a second of each case: of each step of names, the pieces of all steps together."""
    _folders(200)
    with data_file():
        for name in names:
            args, kind = SCALING[name]
            found = load.samples(*args, "--clients", CLIENTS, "--repeats", repeats)
            turns = len(found) // repeats
            for turn in range(repeats):
                group = found[turn * turns : (turn + 1) * turns]
                events.send(event="result", row=name, value=sum(getattr(one, kind) for one in group) / sum(one.elapsed for one in group) * 1e9, client=None, waited=None)
