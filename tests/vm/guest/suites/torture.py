# SPDX-License-Identifier: GPL-2.0
"""smbtorture on an emptied ext4 share, against a list of expected verdicts: the short tests in batches, what fails there and all else
one at a time."""

import fnmatch
import json
import os
import re
import shutil

from lib import client, machine
from lib.proc import Failure, check, patient, run
from lib.registry import Suite

suite = Suite("torture", disk="1G", cost=300, memory=1536, cpus=1)
ROOT = "/srv/smb/share"
SECONDS = 240
FOLDER = next(path for path in ("/host/expect", "/src/tests/expect") if os.path.isdir(path))


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


# Tests of one group that run in one smbtorture, whose start costs more than most of them do. Not those that take long by themselves.
BATCH = 16
ALONE = ("smb2.credits.*", "smb2.dir.*", "smb2.multichannel.*", "smb2.session.reconnect*")
# What the last batch said: {test: output}.
told = {}


def smbtorture(*tests):
    """(exit status, output) of some tests."""
    result = run(
        "timeout", "-k", "5", patient(SECONDS), "smbtorture", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}",
        "--option=torture:sharedelay=100000", *tests, ok=False, timeout=SECONDS + 30,
    )
    return result.status, result.output


def verdict_of(test):
    """(pass | fail | skip | timeout, output) of one smbtorture test, run alone."""
    status, out = smbtorture(test)
    if status in (124, 137):
        return "timeout", out
    if re.search(r"^skip: ", out, re.MULTILINE) and not re.search(r"^(failure|error): ", out, re.MULTILINE):
        return "skip", out
    if status == 0 and re.search(r"^success: ", out, re.MULTILINE):
        return "pass", out
    return "fail", out


def group(test):
    """Tests with the same first two parts of their names belong together."""
    return test.split(".")[:2]


def goes_along(test, expected):
    return expected.get(test, "pass") == "pass" and not any(fnmatch.fnmatchcase(test, pattern) for pattern in ALONE)


def passes_in_batch(test, expected):
    """Whether `test` passes in one smbtorture with those that come next. What does not is run alone, and judged by that."""
    if test not in told:
        told.clear()
        wanted = [name for name in SELECTED if goes_along(name, expected) and group(name) == group(test)]
        batch = wanted[wanted.index(test) :][:BATCH]
        _, out = smbtorture(*batch)
        # In the order asked for, each with its last name.
        parts = re.split(r"^test: ", out, flags=re.MULTILINE)[1:]
        told.update({name: part for name, part in zip(batch, parts) if part.split("\n")[0].strip() == name.split(".")[-1]})
    return re.search(r"^success: ", told.pop(test, ""), re.MULTILINE) is not None


def case(test):
    """The test passes when smbtorture's verdict is the expected one: an unexpected pass fails too, for the list to be kept true."""

    def run_case(server):
        listed = expectations(BY_SERVER.get(server.kind, "smbtorture")) or {}
        expected = listed.get(test, "pass")
        empty()
        if goes_along(test, listed) and passes_in_batch(test, listed):
            return
        empty()
        verdict, output = verdict_of(test)
        if verdict == expected:
            return
        if verdict == "pass":
            raise Failure(f"unexpected pass: the list expects '{expected}'; note it in tests/expect")
        said = [line for line in output.splitlines() if not line.startswith(("time:", "Using seed", "smbtorture 4"))]
        raise Failure(f"'{verdict}' instead of '{expected}':\n" + "\n".join(said[-15:]))

    return run_case


def selected():
    """The tests that this machine is to run, in their order; on the host, where nothing is run, none."""
    try:
        with open("/host/job.json", encoding="utf-8") as file:
            names = json.load(file).get("tests", [])
    except FileNotFoundError:
        return []
    return [name.removeprefix(f"{suite.name}.") for name in names if name.startswith(f"{suite.name}.")]


SELECTED = selected()
for _test in OURS or {}:
    suite.add(_test, case(_test), timeout=SECONDS + 60)
