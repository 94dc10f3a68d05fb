# SPDX-License-Identifier: GPL-2.0
"""The harness: builds, checks, boots and tests. Runs inside the toolchain root (see ../enter.sh)."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import advisories  # noqa: E402
import bench  # noqa: E402
import build  # noqa: E402
import cargo  # noqa: E402
import fuzz  # noqa: E402
import gates  # noqa: E402
import install  # noqa: E402
import planner  # noqa: E402
import scaling  # noqa: E402
import soak  # noqa: E402
import vm  # noqa: E402
from report import Report, Stop  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="tests/vm/ksmbd-vm")
    parser.add_argument("command", choices=["modules", "tools", "check", "audit", "fmt", "doc", "cargo-test", "check-in-tree", "test", "vm-test", "install-test", "run", "shell", "list", "bench", "bench-smp", "test-debug", "soak", "fuzz"])
    parser.add_argument("--server", default=os.environ.get("KSMBD_SERVER") or "ours", choices=["ours", "c", "ours-module", "ours-tools", "samba"])
    parser.add_argument("--suite", default="", help="only these suites, comma separated")
    parser.add_argument("--test", default="", help="only tests whose names match one of these shell patterns, comma separated")
    parser.add_argument("--jobs", type=int, default=0, help="virtual machines at a time")
    parser.add_argument("--case", default="", help="bench: only these cases, shell patterns, comma separated")
    parser.add_argument("--servers", default="", help="bench: servers to compare, comma separated")
    parser.add_argument("--repeats", type=int, default=2, help="bench: times each case is measured")
    parser.add_argument("--full", action="store_true", help="test-debug: every test, and not those of conf/debug.tests")
    parser.add_argument("--minutes", type=int, default=60, help="soak: how long, at least 15; fuzz: for all targets together")
    parser.add_argument("--seed", type=int, default=None, help="soak: what the clients' choices come from")
    parser.add_argument("--check", action="store_true", help="bench: fail when a row is below the C module's")
    return parser.parse_args()


def builds(options, with_clients):
    """Whether something of ours takes part."""
    return options.server not in ("c", "samba") or with_clients


def everything(options):
    """make test: each part's tests by name; one broken part does not hide the others."""
    report = Report()
    narrowed = bool(options.suite or options.test or options.server != "ours")
    built = True
    with_clients = any(suite.clients for suite, _ in planner.plan(options))
    if not narrowed:
        gates.run(report)
        cargo.run(report)
        fuzz.run(report)
    if builds(options, with_clients):
        built = build.attempt(report, options.server, with_clients)
    if built and not narrowed:
        gates.judge(report, "install.files", install.problems)
    if built:
        planner.run(report, options)
    return report.summary()


def in_debug_kernel(options):
    """make test-debug: the tests of conf/debug.tests, or those selected, in the kernel that checks itself."""
    report = Report()
    patterns = () if options.full or options.suite or options.test else planner.debug_patterns()
    with_clients = any(suite.clients for suite, _ in planner.plan(options, patterns))
    if not builds(options, with_clients) or build.attempt(report, options.server, with_clients):
        planner.run(report, options, patterns)
    return report.summary()


def main():
    options = arguments()
    if options.command == "modules":
        build.module()
    elif options.command == "tools":
        build.tools()
    elif options.command == "check":
        report = Report()
        gates.run(report)
        return report.summary()
    elif options.command == "audit":
        report = Report()
        advisories.run(report)
        return report.summary() or int(bool(report.skipped))
    elif options.command == "fmt":
        gates.format_sources()
    elif options.command == "doc":
        build.doc()
    elif options.command == "cargo-test":
        report = Report()
        cargo.run(report)
        return report.summary()
    elif options.command == "fuzz":
        report = Report()
        fuzz.run_long(report, options.case, options.minutes)
        return report.summary()
    elif options.command == "check-in-tree":
        report = Report()
        gates.in_tree(report)
        return report.summary()
    elif options.command == "test":
        return everything(options)
    elif options.command == "soak":
        return soak.run(options)
    elif options.command == "test-debug":
        return in_debug_kernel(options)
    elif options.command == "vm-test":
        report = Report()
        planner.run(report, options)
        return report.summary()
    elif options.command == "install-test":
        report = Report()
        build.module()
        build.tools()
        gates.judge(report, "install.files", install.problems)
        return report.summary()
    elif options.command == "bench":
        return bench.run(options)
    elif options.command == "bench-smp":
        return scaling.run(options)
    elif options.command == "list":
        for test in planner.all_tests():
            print(test.name)
    else:
        build.for_server(options.server)
        return vm.interactive(options.command, options.server)
    return 0


try:
    sys.exit(main())
except Stop as reason:
    print(f"ksmbd: {reason}", file=sys.stderr)
    sys.exit(1)
except KeyboardInterrupt:
    print("ksmbd: interrupted.", file=sys.stderr)
    sys.exit(130)
