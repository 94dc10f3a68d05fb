# SPDX-License-Identifier: GPL-2.0
"""Every allocation that the module makes fails once. What it was for may fail; nothing crashes, hangs, leaks or gives wrong data, and
whoever comes next is served."""

import contextlib
import os
import shutil
import struct

from lib import client, content, events, klog, machine, procfs, servers
from lib.faults import Faults
from lib.proc import Failure, check, wait_for
from lib.registry import Suite
from sweeping.session import Client
from sweeping.work import ROOT, TAKE_PAGES, WORK, Wrong, connect, right, same

suite = Suite("sweep", cost=2000, cpus=1, needs="debug")
SLAB, PAGES = "failslab", "fail_page_alloc"
# Consecutive n without a failure that end a sweep: work is not quite the same each time.
MISSES = 2
# No piece of work makes more allocations than that; one that does not end is not an allocation's fault.
MOST = 3000
_faults = {}


@suite.before
def start(server):
    if not Faults.available():
        raise Failure("the kernel cannot make allocations fail")
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs").mount(ROOT)
    os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}})
    for name in ("data", "beside"):
        machine.write(f"{ROOT}/{name}", name)
        # All rights are asked for, too: those of an owner, and to execute.
        os.chmod(f"{ROOT}/{name}", 0o777)
        shutil.chown(f"{ROOT}/{name}", machine.USER)
    for kind in (SLAB, PAGES):
        _faults.setdefault(kind, Faults(kind)).prepare()


def sites(stacks):
    """Where in the module the failed allocations were asked for: the innermost of its functions in each stack."""
    found = set()
    for stack in stacks:
        places = [line.strip().lstrip("? ") for line in stack if "[ksmbd]" in line]
        if places:
            found.add(places[0])
    return found


class Sweep:
    """Lets the 1st, 2nd, ... allocation of `work(number)` fail, until no failure happens any more."""

    def __init__(self, kind):
        self.kind, self.faults, self.log = kind, _faults[kind], klog.KernelLog()
        self.log.read()
        self.hits = self.refused = 0
        self.places = set()

    def one(self, number, work):
        """Does the work, which gets its number, with the `number`-th allocation failing. Returns whether it got as far, and how the
        work ended: None or a refusal."""
        self.faults.arm(number)
        try:
            outcome = self._judged(f"allocation {number}", work, number)
        finally:
            hit = self.faults.disarm()
        if outcome is not None and not hit:
            raise Failure(f"without a failed allocation ({number} was too many): {outcome!r}")
        self.hits += hit
        self.refused += outcome is not None
        return hit, outcome

    def _judged(self, what, work, number):
        """Does the work; returns the refusal that it ended with, if any, and fails for what no lack of memory excuses."""
        outcome = None
        try:
            work(number)
        except (Failure, OSError, struct.error) as problem:
            outcome = problem
        kept, stacks = self.log.without_injected(self.log.read())
        self.places |= sites(stacks)
        injected = "\n".join(stacks[-1]) if stacks else "(it did not print its stack)"
        if isinstance(outcome, BlockingIOError):
            raise Failure(f"with {what} failing, a request was never answered, and the connection stayed open\nthe allocation that failed:\n{injected}")
        bad = self.log.bad(kept)
        if bad:
            raise Failure(f"with {what} failing, the kernel log says:\n" + "\n".join(bad) + f"\nthe allocation that failed:\n{injected}")
        if isinstance(outcome, Wrong):
            raise Failure(f"with {what} failing: {outcome}\nthe allocation that failed:\n{injected}")
        return outcome

    def find_count(self, work, after):
        """Works until an allocation fails, after which the kernel's count is known. Returns whether one did: work may take pages now and
        then only, but slab objects each time, or it is not this module's work that is looked at."""

        def once():
            outcome = self._judged("one of its allocations", work, 0)
            check(outcome is None or self.faults.has_hit(), f"without a failed allocation: {outcome!r}")
            after(outcome)

        # Once it was found, the filter is right, and the count is somewhere further on.
        found = any(self.faults.find_count(once) for _ in range(3 if self.hits else 1))
        check(found or self.kind == PAGES, "no allocation of the work's failed: the filter selects other code")
        return found

    def find_count_by_connecting(self):
        """The same where the work itself takes long; the server must run."""
        one = Client()
        self.find_count(lambda number: connect(one, number), lambda _outcome: one.drop())

    def every(self, work, after=lambda outcome: None, steps=None, is_count_known=False):
        """Lets each n fail, or each of `steps`. `after` is told how the work ended, and cleans up."""
        misses = 0
        if not is_count_known and not self.find_count(work, after):
            return
        for number in steps or range(1, MOST):
            hit, outcome = self.one(number, work)
            after(outcome)
            misses = 0 if hit else misses + 1
            if misses > MISSES or not (hit or self.find_count(work, after)):
                return
        check(steps, f"there is no end of allocations to fail after {MOST}")

    def told(self):
        return f"{self.hits} allocations failed at {len(self.places)} places, {self.refused} times the request or connection with them"


def piece(name, kind):
    def run_piece(server):
        sweep, one = Sweep(kind), Client(name == "sealed")
        work = WORK[name]
        try:
            work(one, 0)
            sweep.every(lambda number: work(one, number), lambda outcome: one.renew() if outcome else None)
            # The server is as it was: the same work succeeds on a new connection, and nothing else of the sweep is left.
            one.drop()
            work(one, 1)
        finally:
            one.drop()
            events.log(f"{name}, {kind}: {sweep.told()}")
        check(sweep.hits > 0, "no allocation failed: the sweep did not test anything")
        wait_for("the connections to go", lambda: not connections(), timeout=30)
        check(server.state() == "running", f"the server is {server.state()} now")

    return run_piece


def connections():
    return procfs.connections(servers.PORT)


for _name in WORK:
    for _kind in (SLAB, PAGES) if _name in TAKE_PAGES else (SLAB,):
        suite.add(f"{_name}.{_kind}", piece(_name, _kind), timeout=600)


def growing(most=2000):
    """1, 2, 3, ... with distances that grow: samples of work that takes too long to do it for each n."""
    number = 1
    while number < most:
        yield number
        number += max(1, number // 5)


@suite.test("mount", timeout=900)
def mount(_server):
    """A mount of cifs.ko, I/O, unmount, in turns plain and sealed: n grows in steps, since each cycle takes long; every n of each request is
    swept above."""
    sweep = Sweep(SLAB)

    def transfer(where, data):
        with open(f"{where}/cycle", "wb") as file:
            file.write(data)
        same(content.read(f"{ROOT}/cycle"), data, "the file was written, which succeeded and the file system has something else")
        same(content.read(f"{where}/cycle"), data, "the file was read, which succeeded and gave something else")
        right("cycle" in os.listdir(where), "the listing lacks a file")
        os.rename(f"{where}/cycle", f"{where}/cycled")
        os.unlink(f"{where}/cycled")

    def cycle(number):
        # The client fails softly instead of trying again for ever; its own cache is passed by.
        how = {"soft": True, "retrans": "1", "echo_interval": "5", "cache": "none", "seal": number % 2 == 0}
        with client.mounted("share", **how) as where:
            try:
                transfer(where, os.urandom(100000))
            except BlockingIOError as refusal:
                # Without memory the server says STATUS_INSUFFICIENT_RESOURCES, which this client hands on as EAGAIN.
                raise Failure(f"refused: {refusal}") from None

    def after(outcome):
        if outcome:
            client.clean_up()

    sweep.every(cycle, after, growing())
    events.log(f"mount: {sweep.told()}")
    check(sweep.hits > 3, "hardly an allocation failed: the sweep did not test anything")
    client.clean_up()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{ROOT}/cycle")
    cycle(0)


@suite.test("start", timeout=900)
def starting(server):
    """The daemon's start: the module serves, or says no and can be started again."""
    sweep = Sweep(SLAB)
    sweep.find_count_by_connecting()
    server.control_stop()

    def begin(_number):
        server.start_daemon()
        wait_for("the start to succeed or fail", lambda: servers.port_open() or server.daemon.poll() is not None, timeout=30)
        if not servers.port_open():
            raise Failure("the daemon gave up")

    def after(_outcome):
        if server.daemon.poll() is None:
            server.control_stop()
        else:
            machine.write(f"{servers.CONTROL}/kill_server", "hard")
        wait_for("the module to be ready again", lambda: server.state() == "startup")

    sweep.every(begin, after, growing(60), is_count_known=True)
    events.log(f"start: {sweep.told()}")
    check(sweep.hits > 3, "hardly an allocation failed: the sweep did not test anything")
    begin(0)
    client.smbclient("share", "ls")


@suite.test("stop", timeout=600)
def ending(server):
    """Stopping and unloading: whatever fails, all of it goes."""
    sweep = Sweep(SLAB)
    for number in (1, 2, 3, 4, 6, 9):
        sweep.find_count_by_connecting()
        one = Client()
        one.session().create("held", access=0x0012019F, disposition=3)
        hit, outcome = sweep.one(number, lambda _number: server.stop())
        one.drop()
        check(outcome is None, f"with allocation {number} failing, it does not stop: {outcome}")
        server.reset()
        start(server)
        if not hit:
            break
    events.log(f"end: {sweep.told()}")
    check(sweep.hits > 0, "no allocation failed: the sweep did not test anything")
