# SPDX-License-Identifier: GPL-2.0
"""Runs the tests of one suite, each with its own verdict: its own checks, its timeout, and a clean kernel log."""

import signal
import time
import traceback

from . import client, events, leaks, machine, registry, servers
from .klog import KernelLog
from .proc import Failure, Skip, check, patient


class TooLong(BaseException):
    """The test's own timeout; not an Exception, so that no test swallows it."""


def _alarm(_signum, _frame):
    raise TooLong()


def _attempt(test, work, log):
    """Does the `work` of a test within its time; returns (verdict, reason)."""
    verdict, why = "pass", ""
    signal.signal(signal.SIGALRM, _alarm)
    limit = patient(test.timeout)
    signal.alarm(limit)
    try:
        work()
    except Skip as reason:
        verdict, why = "skip", str(reason)
    except Failure as failure:
        verdict, why = "fail", str(failure)
    except TooLong:
        frames = traceback.format_exc().strip().splitlines()
        verdict, why = "fail", f"did not end within {limit} s; it was at: " + " / ".join(frames[-7:-1])
    except Exception:
        verdict, why = "fail", traceback.format_exc()
    finally:
        signal.alarm(0)
    bad = log.bad(log.read())
    if bad:
        verdict, why = "fail", (why + "\n" if why else "") + "the kernel log says:\n" + "\n".join(bad)
    return verdict, why


def _begin(test):
    """Tells the host, and the kernel log, that the test begins; returns the moment."""
    machine.kmsg(f"begin {test.name}")
    events.send(event="begin", test=test.name, timeout=patient(test.timeout))
    return time.monotonic()


def _end(test, start, verdict, why):
    events.send(event="end", test=test.name, verdict=verdict, seconds=round(time.monotonic() - start, 2), why=why)


def run(job):
    """Runs what the job names, in the suite's order."""
    suite = registry.load_all()[job["suite"]]
    wanted = set(job["tests"])
    server = servers.make(job["server"])
    log = KernelLog()
    log.read()
    ready = did_any = False
    for test in suite.tests:
        if test.name not in wanted:
            continue
        start = _begin(test)
        if server.kind in test.lacks:
            _end(test, start, "skip", test.lacks[server.kind])
            continue
        try:
            if not ready:
                _take_away(server)
                if suite.set_up:
                    suite.set_up(server)
                ready = True
            verdict, why = _attempt(test, lambda: test.function(server), log)
        except Exception as problem:
            detail = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            verdict, why = "fail", f"the server could not be started for it: {detail}"
            log_tail = log.read()
            why += "\nkernel log:\n" + "\n".join(log_tail[-25:])
        if verdict == "fail":
            why += server.diagnosis()
        _end(test, start, verdict, why)
        did_any = did_any or verdict != "skip"
        if verdict == "fail":
            # What a failed test leaves behind must not decide about the next one.
            ready = False
            if "the kernel log says" in why or "cannot even be killed" in why:
                events.send(event="reboot")
                return
    for test in registry.closing(suite, job.get("debug")):
        start = _begin(test)
        verdict, why = _attempt(test, lambda: CLOSING[test.name.rsplit(".", 1)[1]](server), log)
        if verdict == "pass" and not did_any:
            verdict, why = "skip", "no test before it did anything"
        if verdict == "fail":
            why += server.diagnosis()
        _end(test, start, verdict, why)


def _take_away(server):
    """Leaves nothing of the clients and the server."""
    client.clean_up()
    server.reset()


def _end_of_suite(server):
    """The last unloading, which no test sees: it must succeed, and the kernel log stay clean."""
    _take_away(server)
    check(not servers.loaded("ksmbd"), "the module is still loaded")


def _leaks(_server):
    """What is left when the module is gone."""
    check(not servers.loaded("ksmbd"), "the module is still loaded, so what it leaked cannot be told")
    found = leaks.records()
    ours = [record for record in found if leaks.is_ours(record)]
    if len(found) > len(ours):
        events.log(f"note: kmemleak has {len(found) - len(ours)} objects that others leaked:\n" + leaks.summary([one for one in found if one not in ours], 3))
    check(not ours, f"{len(ours)} objects leaked:\n" + leaks.summary(ours))


CLOSING = {"end": _end_of_suite, "leaks": _leaks}
