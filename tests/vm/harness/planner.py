# SPDX-License-Identifier: GPL-2.0
"""Plans the guest's suites: which tests, in which machines, how many at a time."""

import fnmatch
import os
import queue
import sys
import threading

import build
import data
import vm
from report import Stop

sys.path.insert(0, "/src/tests/vm/guest")
os.environ.setdefault("KSMBD_EXPECT", "/src/tests/expect")

from lib import registry  # noqa: E402


def runnable():
    """The suites, by name, that the kernel at hand can run."""
    return {name: suite for name, suite in registry.load_all().items() if suite.needs == "" or (suite.needs == "debug" and build.is_debug())}


def all_tests():
    return [test for suite in runnable().values() for test in suite.tests + registry.closing(suite, build.is_debug())]


def debug_patterns():
    """The tests of conf/debug.tests: those that the debug kernel runs when nothing is selected."""
    with open("/src/tests/vm/conf/debug.tests", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def plan(options, patterns=()):
    """[(suite, tests)], the longest first. With `patterns`, only tests that match one of them."""
    suites = runnable()
    wanted = [name for name in options.suite.split(",") if name]
    for name in wanted:
        if name not in suites:
            raise Stop(f"there is no suite {name}; there are {', '.join(sorted(suites))}.")
    chosen = []
    for suite in suites.values():
        if wanted and suite.name not in wanted:
            continue
        pattern = options.test
        tests = [t for t in suite.tests if not pattern or fnmatch.fnmatchcase(t.name, pattern) or fnmatch.fnmatchcase(t.name, f"{suite.name}.{pattern}")]
        tests = [t for t in tests if not patterns or any(fnmatch.fnmatchcase(t.name, one) for one in patterns)]
        if tests:
            chosen.append((suite, tests + registry.closing(suite, build.is_debug())))
    if not chosen:
        raise Stop(f"no test matches '{options.test}'.")
    return sorted(chosen, key=lambda pair: -pair[0].cost)


def machines_at_a_time(options, suites):
    """As many as the processors and the free memory carry."""
    if options.jobs:
        return options.jobs
    with open("/proc/meminfo", encoding="ascii") as file:
        info = dict(line.split(":") for line in file)
    free = int(info["MemAvailable"].split()[0]) // 1024
    most = max(suite.memory for suite, _ in suites) + 300
    if free < most:
        raise Stop(f"the host has {free} MiB of memory free and a test machine needs {most} MiB.")
    return max(1, min(free // most, max(2, len(os.sched_getaffinity(0)) - 1), len(suites)))


def run(report, options, patterns=()):
    chosen = plan(options, patterns)
    data.prepare()
    work = queue.Queue()
    for pair in chosen:
        work.put(pair)

    def worker():
        while True:
            try:
                suite, tests = work.get_nowait()
            except queue.Empty:
                return
            try:
                vm.run_tests(report, suite, tests, options.server)
            except Exception as problem:
                for test in tests:
                    if test.name not in report.passed + report.failed + report.skipped:
                        report.verdict(test.name, "fail", why=f"the machine could not be run: {problem!r}")

    threads = [threading.Thread(target=worker) for _ in range(machines_at_a_time(options, chosen))]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()
