# SPDX-License-Identifier: GPL-2.0
"""Plans the guest's suites: which tests, in which machines, how many at a time."""

import difflib
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


def matches(suite, test, pattern):
    """Whether a shell pattern fits the test's name, with its suite's name before it or without."""
    return any(fnmatch.fnmatchcase(test.name, one) for one in (pattern, f"{suite.name}.{pattern}"))


def refuse_unmatched(suites, patterns, where):
    """Stops when one of the patterns fits no test: whoever wrote it means one that is not there. Says which are like it."""
    for pattern in patterns:
        if any(matches(suite, test, pattern) for suite in suites for test in suite.tests):
            continue
        if any(matches(suite, test, pattern) for suite in suites for test in registry.closing(suite, build.is_debug())):
            raise Stop(f"{pattern}{where} does not run alone: it follows the tests of its suite, whichever are selected.")
        names = [test.name for suite in suites for test in suite.tests]
        short = {name.split(".", 1)[1]: name for name in names}
        plain = pattern.replace("*", "").replace("?", "").rstrip(".")
        near = difflib.get_close_matches(plain, names, 5, 0.5) or [short[name] for name in difflib.get_close_matches(plain, short, 5, 0.5)]
        raise Stop(f"no test matches '{pattern}'{where}; there are {', '.join(near or names[:5])}, ... (`make list` names all).")


def debug_patterns():
    """The tests of conf/debug.tests: those that the debug kernel runs when nothing is selected."""
    with open("/src/tests/vm/conf/debug.tests", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def plan(options, patterns=()):
    """[(suite, tests)], the longest first, each with the tests that close it. With `patterns`, those of conf/debug.tests, only tests whose
    whole name matches one of them."""
    suites = runnable()
    wanted = [name for name in options.suite.split(",") if name]
    for name in wanted:
        if name not in suites:
            raise Stop(f"there is no suite {name}; there are {', '.join(sorted(suites))}.")
    selected = [suite for suite in suites.values() if not wanted or suite.name in wanted]
    selection = [pattern for pattern in options.test.split(",") if pattern]
    refuse_unmatched(selected, selection, f" in {options.suite}" if wanted else "")
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(test.name, pattern) for suite in selected for test in suite.tests):
            raise Stop(f"conf/debug.tests has '{pattern}', which no test matches.")
    chosen = []
    for suite in selected:
        tests = [test for test in suite.tests if not selection or any(matches(suite, test, one) for one in selection)]
        tests = [test for test in tests if not patterns or any(fnmatch.fnmatchcase(test.name, one) for one in patterns)]
        if tests:
            chosen.append((suite, tests + registry.closing(suite, build.is_debug())))
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
