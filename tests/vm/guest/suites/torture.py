# SPDX-License-Identifier: GPL-2.0
"""smbtorture, one test at a time on an emptied ext4 share, against a list of expected verdicts."""

import os
import re
import shutil

from lib import client, machine
from lib.proc import Failure, check, patient, run
from lib.registry import Suite

suite = Suite("torture", disk="1G", cost=400, memory=1536)
ROOT = "/srv/smb/share"
SECONDS = 240
FOLDER = next(path for path in ("/work/expect", "/src/tests/expect") if os.path.isdir(path))


def expectations(name):
    """{test: verdict} of one file; None when there is none."""
    path = f"{FOLDER}/{name}.tsv"
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return dict(line.split("\t")[:2] for line in file.read().splitlines() if line and not line.startswith("#"))


# Servers whose module is the C one have expectations of their own.
OURS = expectations("smbtorture")
BY_SERVER = {"c": "smbtorture-c", "ours-tools": "smbtorture-c", "samba": "smbtorture-samba"}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("ext4").mount(ROOT)
    empty()
    server.start({"share": {"path": ROOT}}, server_multi_channel_support="yes")


def empty():
    """Nothing of an earlier test is left in the share."""
    os.chmod(ROOT, 0o777)
    for name in os.listdir(ROOT):
        path = f"{ROOT}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def verdict_of(test):
    """(pass | fail | skip | timeout, output) of one smbtorture test."""
    result = run(
        "timeout", "-k", "5", patient(SECONDS), "smbtorture", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}",
        "--option=torture:sharedelay=100000", test, ok=False, timeout=SECONDS + 30,
    )
    out = result.output
    if result.status in (124, 137):
        return "timeout", out
    if re.search(r"^skip: ", out, re.MULTILINE) and not re.search(r"^(failure|error): ", out, re.MULTILINE):
        return "skip", out
    if result.status == 0 and re.search(r"^success: ", out, re.MULTILINE):
        return "pass", out
    return "fail", out


def case(test):
    """The test passes when smbtorture's verdict is the expected one: an unexpected pass fails too, for the list to be kept true."""

    def run_case(server):
        expected = (expectations(BY_SERVER.get(server.kind, "smbtorture")) or {}).get(test, "pass")
        empty()
        verdict, output = verdict_of(test)
        if verdict == expected:
            return
        if verdict == "pass":
            raise Failure(f"unexpected pass: the list expects '{expected}'; note it in tests/expect")
        said = [line for line in output.splitlines() if not line.startswith(("time:", "Using seed", "smbtorture 4"))]
        raise Failure(f"'{verdict}' instead of '{expected}':\n" + "\n".join(said[-15:]))

    return run_case


for _test in OURS or {}:
    suite.add(_test, case(_test), timeout=SECONDS + 60)
