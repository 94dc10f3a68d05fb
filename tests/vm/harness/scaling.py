# SPDX-License-Identifier: GPL-2.0
"""make bench-smp: many clients against one, two and more processors that run side by side. Without the instruction clock the figures
depend on the host, so only ratios are told: ours against the others in turns, and each server against itself with one processor."""

import fnmatch
import os
import sys

import bench
from comparison import in_columns
from report import Stop, say

sys.path.insert(0, "/src/tests/vm/guest")

from benchmark.case import SCALING  # noqa: E402


def counts(most):
    """1, 2, 4, ... and the host's processors."""
    found = [1]
    while found[-1] * 2 <= most:
        found.append(found[-1] * 2)
    return found if found[-1] == most else [*found, most]


def chosen_cases(pattern):
    chosen = [name for name in SCALING if not pattern or any(fnmatch.fnmatchcase(name, one) for one in pattern.split(","))]
    if not chosen:
        raise Stop(f"no case matches '{pattern}'; there are {', '.join(SCALING)}.")
    return chosen


def best(measured, name):
    """The largest of the repeats: what disturbs only ever makes them smaller."""
    return max(measured.values.get(name, []), default=None)


def table(cases, results, processors):
    """`results`: {processors: {server: Measured}}."""
    servers = list(results[processors[0]])
    ours = next((name for name in servers if name.startswith("ours")), None)
    others = [name for name in servers if name != ours] if ours else []
    head = ["case", "", *[f"{count} vCPU" for count in processors]]
    lines = [head]
    for case in cases:
        for other in others:
            lines.append([case, f"{bench.TITLES[ours]}/{bench.TITLES[other]}", *[_ratio(results[count], ours, other, case) for count in processors]])
        for server in servers:
            one = best(results[processors[0]][server], case)
            shown = [f"{value / one:.2f}" if one and (value := best(results[count][server], case)) else "-" for count in processors]
            lines.append([case, f"{bench.TITLES[server]}/1 vCPU", *shown])
    return in_columns(lines)


def _ratio(measured, ours, other, case):
    first, second = best(measured[ours], case), best(measured[other], case)
    return f"{first / second:.2f}" if first and second else "-"


def run(options):
    """One machine at a time, the servers in turns; the exit status tells of failures."""
    if options.check:
        raise Stop("bench-smp takes no CHECK: its figures depend on the host. Use it with `make bench`.")
    cases = chosen_cases(options.case)
    servers = bench.chosen_servers(options.servers)
    bench.prepare(servers)
    processors = counts(len(os.sched_getaffinity(0)))
    results = {count: {server: bench.Measured(server) for server in servers} for count in processors}
    for count in processors:
        for measured in results[count].values():
            say(f"{measured.server} with {count} processors")
            bench.listen(measured, {"scaling": cases, "repeats": max(options.repeats, 3)}, {"cpus": count}, len(cases))
    print(table(cases, results, processors))
    print("\nRatios of the best of the repeats: ours against another server, and a server against itself with one processor. Larger is better.")
    failures = [f"{server} with {count} processors: {failure}" for count in processors for server, one in results[count].items() for failure in one.failures]
    for failure in failures:
        print(f"FAILED {failure}")
    sys.stdout.flush()
    return 1 if failures else 0
