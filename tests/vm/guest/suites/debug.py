# SPDX-License-Identifier: GPL-2.0
"""What only a kernel with every check can tell: its log of booting is clean, and the module's own KUnit suites pass."""

import glob
import os
import re

from lib import klog, machine, servers
from lib.proc import check
from lib.registry import Suite

suite = Suite("debug", cost=300, needs="debug")
KUNIT = "/sys/kernel/debug/kunit"
FILTER = "/sys/module/kunit/parameters/filter_glob"


@suite.test("boot")
def boot(_server):
    """The kernel found nothing wrong with itself before the module was there, so that what it finds later is ours."""
    with open("/proc/cmdline", encoding="utf-8") as file:
        check("kunit.filter_glob" in file.read(), "this is not the debug kernel")
    log = klog.KernelLog()
    bad = log.bad(log.read())
    check(not bad, "the kernel log says:\n" + "\n".join(bad))


@suite.test("kunit", timeout=300)
def kunit(server):
    """Every suite in the module, as it is loaded."""
    check(os.path.exists(FILTER), "the debug kernel has no KUnit")
    machine.write(FILTER, "ksmbd*")
    try:
        server.reset()
        server.load()
        results = glob.glob(f"{KUNIT}/ksmbd*/results")
        check(results, "the module has no KUnit suites")
        for path in results:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            failed = [line.strip() for line in text.splitlines() if re.match(r"\s*not ok\b", line)]
            check(not failed, f"{path}: {failed}\n{text}")
            check(re.search(r"^\s*ok \d+", text, re.MULTILINE), f"{path} has no verdict: {text}")
    finally:
        machine.write(FILTER, "none")
        server.reset()
        check(not servers.loaded("ksmbd"), "the module does not unload")
