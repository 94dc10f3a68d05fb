# SPDX-License-Identifier: GPL-2.0
"""The hostile client (tests/hostile), one attack a test. The server must withstand them all. Their names are in
tests/expect/hostile.tsv, which a unit test of the client compares with its own."""

import os

from lib import machine
from lib.proc import Failure, check, run, tail
from lib.registry import Suite

suite = Suite("hostile", cost=300, clients=True, fill=True)
ROOT = "/srv/smb/hostile"
PROGRAM = "/host/clients/ksmbd-hostile"
# What the server holds: the client compares it around each case.
COUNTS = "/proc/fs/ksmbd/server"
FOLDER = next(path for path in ("/host/expect", "/src/tests/expect") if os.path.isdir(path))
# Steps of the random mode, and its seeds: the same each time, so that a failure is this change's.
RANDOM = {"random.first": (1, 3000), "random.second": (2, 3000)}
NOT_OURS = {kind: "the cases expect this project's answers" for kind in ("c", "ours-tools", "samba")}
# What a case demands of the configuration besides.
KEYS = {
    "replay.gmac-elsewhere": {"server_multi_channel_support": "no"},
    "seal.plain-renewal": {"smb3_encryption": "mandatory"},
}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=256m").mount(ROOT)
        os.chmod(ROOT, 0o777)
    check(is_filled(), "the kernel does not fill free memory: what the server sends of it would look like zeros")
    serve(server)


def is_filled():
    """Whether free memory is full of what the client looks for. The debug kernel leaves that to this one: it tracks memory otherwise."""
    if machine.is_debug():
        return True
    with open("/proc/cmdline", encoding="ascii") as file:
        pages = "page_poison=1" in file.read().split()
    with open("/sys/kernel/slab/kmalloc-1k/poison", encoding="ascii") as file:
        return pages and file.read().strip() == "1"


def serve(server, **keys):
    server.start({"share": {"path": ROOT}}, **{"server_multi_channel_support": "yes", "max_open_files": "2000", **keys})


def play(*args, timeout):
    """Runs the client; what it says is the reason when the server fell."""
    result = run(PROGRAM, *args, "--user", f"{machine.USER}%{machine.PASSWORD}", "--other", f"{machine.OTHER}%{machine.OTHER_PASSWORD}", "--root", ROOT, "--counts", COUNTS, ok=False, timeout=timeout)
    return result.status == 0, tail(result.output)


def case(name):
    keys = KEYS.get(name)

    def run_case(server):
        if not keys:
            return judge()
        server.reset()
        serve(server, **keys)
        try:
            return judge()
        finally:
            server.reset()
            serve(server)

    def judge():
        withstood, output = play("run", name, timeout=280)
        if not withstood:
            raise Failure(output)

    return run_case


def random_case(seed, steps):
    def run_case(_server):
        withstood, output = play("random", "--seed", str(seed), "--steps", str(steps), timeout=580)
        if not withstood:
            raise Failure(output)

    return run_case


with open(f"{FOLDER}/hostile.tsv", encoding="utf-8") as file:
    for line in file:
        name = line.strip()
        if name and not name.startswith("#"):
            suite.add(name, case(name), timeout=300, lacks=NOT_OURS)
for name, (seed, steps) in RANDOM.items():
    suite.add(name, random_case(seed, steps), timeout=600, lacks=NOT_OURS)
