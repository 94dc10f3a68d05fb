# SPDX-License-Identifier: GPL-2.0
"""Runs the tests of one suite, each with its own verdict: its own checks, its timeout, and a clean kernel log."""

import signal
import time
import traceback

from . import client, events, machine, registry, servers
from .klog import KernelLog
from .proc import Failure, Skip


class TooLong(BaseException):
    """The test's own timeout; not an Exception, so that no test swallows it."""


def _alarm(_signum, _frame):
    raise TooLong()


def _attempt(test, server, log):
    """Runs one test; returns (verdict, reason)."""
    if server.kind in test.lacks:
        return "skip", test.lacks[server.kind]
    verdict, why = "pass", ""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(test.timeout)
    try:
        test.function(server)
    except Skip as reason:
        verdict, why = "skip", str(reason)
    except Failure as failure:
        verdict, why = "fail", str(failure)
    except TooLong:
        frames = traceback.format_exc().strip().splitlines()
        verdict, why = "fail", f"did not end within {test.timeout} s; it was at: " + " / ".join(frames[-7:-1])
    except Exception:
        verdict, why = "fail", traceback.format_exc()
    finally:
        signal.alarm(0)
    bad = log.bad(log.read())
    if bad:
        verdict, why = "fail", (why + "\n" if why else "") + "the kernel log says:\n" + "\n".join(bad)
    return verdict, why


def run(job):
    """Runs what the job names, in the suite's order."""
    suite = registry.load_all()[job["suite"]]
    wanted = set(job["tests"])
    server = servers.make(job["server"])
    log = KernelLog()
    log.read()
    ready = False
    for test in suite.tests:
        if test.name not in wanted:
            continue
        machine.kmsg(f"begin {test.name}")
        events.send(event="begin", test=test.name, timeout=test.timeout)
        start = time.monotonic()
        try:
            if not ready and server.kind not in test.lacks:
                client.clean_up()
                server.reset()
                if suite.set_up:
                    suite.set_up(server)
                ready = True
            verdict, why = _attempt(test, server, log)
        except Exception as problem:
            detail = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            verdict, why = "fail", f"the server could not be started for it: {detail}"
            log_tail = log.read()
            why += "\nkernel log:\n" + "\n".join(log_tail[-25:])
        if verdict == "fail":
            why += server.diagnosis()
        events.send(event="end", test=test.name, verdict=verdict, seconds=round(time.monotonic() - start, 2), why=why)
        if verdict == "fail":
            # What a failed test leaves behind must not decide about the next one.
            ready = False
            if "the kernel log says" in why or "cannot even be killed" in why:
                events.send(event="reboot")
                return
    signal.alarm(120)
    try:
        client.clean_up()
        server.reset()
    except (Exception, TooLong) as problem:
        events.send(event="log", text=f"note: {suite.name}: the server did not stop cleanly after the last test: {problem!r}")
