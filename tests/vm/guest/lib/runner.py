# SPDX-License-Identifier: GPL-2.0
"""Runs the tests of one suite, each with its own verdict: its own checks, its timeout, and a clean kernel log."""

import signal
import time
import traceback

from . import client, events, leaks, machine, registry, servers
from .klog import KernelLog
from .proc import Failure, Skip, patient


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
    limit = patient(test.timeout)
    signal.alarm(limit)
    try:
        test.function(server)
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
        events.send(event="begin", test=test.name, timeout=patient(test.timeout))
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
    signal.alarm(patient(120))
    try:
        client.clean_up()
        server.reset()
    except (Exception, TooLong) as problem:
        events.send(event="log", text=f"note: {suite.name}: the server did not stop cleanly after the last test: {problem!r}")
    signal.alarm(0)
    if job.get("debug"):
        test = registry.leaks_of(suite)
        events.send(event="begin", test=test.name, timeout=patient(test.timeout))
        start = time.monotonic()
        verdict, why = judge_leaks(log)
        events.send(event="end", test=test.name, verdict=verdict, seconds=round(time.monotonic() - start, 2), why=why)


def judge_leaks(log):
    """(verdict, reason) of what is left when the module is gone."""
    if servers.loaded("ksmbd"):
        return "fail", "the module is still loaded, so what it leaked cannot be told"
    found = leaks.records()
    ours = [record for record in found if leaks.is_ours(record)]
    if len(found) > len(ours):
        events.log(f"note: kmemleak has {len(found) - len(ours)} objects that others leaked:\n" + leaks.summary([one for one in found if one not in ours], 3))
    bad = log.bad([line for line in log.read() if "kmemleak" not in line])
    if bad:
        return "fail", "the kernel log says:\n" + "\n".join(bad)
    return ("fail", f"{len(ours)} objects leaked:\n" + leaks.summary(ours)) if ours else ("pass", "")
