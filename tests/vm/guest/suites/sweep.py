# SPDX-License-Identifier: GPL-2.0
"""Every allocation that the module makes fails once. What it was for may fail; nothing crashes, hangs, leaks or gives wrong data, and
whoever comes next is served."""

import contextlib
import os
import re
import shutil
import socket
import struct

from lib import client, events, klog, machine, procfs, servers
from lib.faults import Faults
from lib.proc import Failure, Skip, check, patient, wait_for
from lib.registry import Suite

suite = Suite("sweep", cost=2000, cpus=1, needs="debug")
ROOT = "/srv/smb/share"
KINDS = ("failslab", "fail_page_alloc")
# Consecutive n without a failure that end a sweep: work is not quite the same each time.
MISSES = 2
# No piece of work makes more allocations than that; one that does not end is not an allocation's fault.
MOST = 3000
CREATE, READ = 5, 8
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
    for kind in KINDS:
        _faults.setdefault(kind, Faults(kind)).prepare()


class Client:
    """A raw session that is made anew when a failure ended it."""

    def __init__(self):
        self.raw = None

    def session(self):
        if self.raw is None:
            # The host, which reads this file for its list of tests, lacks what this imports.
            from lib import rawsmb

            raw = rawsmb.Raw()
            limit = struct.pack("ll", patient(20), 0)
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self.raw = raw
            raw.negotiate()
            raw.log_on(machine.USER, machine.PASSWORD)
            raw.connect_tree("share")
        return self.raw

    def renew(self):
        """A new session; one failed allocation does not keep it from being made."""
        for _ in range(3):
            self.drop()
            try:
                return self.session()
            except (Failure, OSError, struct.error):
                continue
        raise Failure("nobody can connect any more")

    def drop(self):
        if self.raw is not None:
            self.raw.close_socket()
            self.raw = None


def connect(one, _number):
    """From the first byte to LOGOFF."""
    one.drop()
    one.session().log_off()
    one.drop()


def create(one, number):
    raw = one.session()
    raw.close(raw.create(f"made-{number}", access=0x00130116, disposition=3))
    check(os.path.exists(f"{ROOT}/made-{number}"), "the file that was reported as made is not there")
    os.unlink(f"{ROOT}/made-{number}")


def with_oplock_and_contexts(one, number):
    """CREATE with a batch oplock and the contexts MxAc and QFid."""
    raw = one.session()
    name = f"contexts-{number}".encode("utf-16-le")
    contexts = struct.pack("<IHHHHI4s4x", 24, 16, 4, 0, 0, 0, b"MxAc") + struct.pack("<IHHHHI4s4x", 0, 16, 4, 0, 0, 0, b"QFid")
    start_of_contexts = (120 + len(name) + 7) & ~7
    body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 9, 2, 0, 0, 0x00130116, 0x80, 7, 3, 0, 120, len(name), start_of_contexts, len(contexts))
    body += name.ljust(start_of_contexts - 120, b"\0") + contexts
    raw.close(bytes(raw.call(CREATE, body)[128:144]))
    os.unlink(f"{ROOT}/contexts-{number}")


@contextlib.contextmanager
def opened(one, name="data", access=0x0012019F, disposition=3, options=0):
    raw = one.session()
    file_id = raw.create(name, access, disposition, options)
    yield raw, file_id
    raw.close(file_id)


def write(one, number):
    """64 KiB that the file system must have afterwards."""
    data = bytes([number & 0xFF]) * 65536
    with opened(one) as (raw, file_id):
        raw.write(file_id, 0, data)
        with open(f"{ROOT}/data", "rb") as file:
            check(file.read() == data, "WRITE succeeded and the file holds something else")


def read(one, number):
    """What the file system has is what READ gives, in the page cache's pages and copied."""
    data = bytes([number & 0xFF, 7]) * 40000
    with open(f"{ROOT}/data", "wb") as file:
        file.write(data)
    with opened(one) as (raw, file_id):
        for length in (100, 65536):
            body = struct.pack("<HBBIQ16sIIIHH", 49, 0, 0, length, 1, file_id, 0, 0, 0, 0, 0) + b"\0"
            answer = raw.call(READ, body)
            begin, size = struct.unpack_from("<BxI", answer, 66)
            check(bytes(answer[begin : begin + size]) == data[1 : 1 + length], "READ succeeded and gave something else")


def directory(one, _number):
    with opened(one, "", access=0x00120089, disposition=1, options=1) as (raw, file_id):
        pattern = "*".encode("utf-16-le")
        seen, flags = b"", 1
        while True:
            try:
                seen += bytes(raw.call(14, struct.pack("<HBBI16sHHI", 33, 0x25, flags, 0, file_id, 96, len(pattern), 65536) + pattern))
            except Failure as end:
                if "0x80000006" in str(end):
                    break
                raise
            # Not from the beginning again: what could not be told in one answer comes with the next.
            flags = 0
        for name in ("data", "beside"):
            check(name.encode("utf-16-le") in seen, f"the listing lacks a file: {name}")


def information(one, _number):
    """Of the file (all, streams), of the file system, and its security descriptor."""
    with opened(one, access=0x001F01FF) as (raw, file_id):
        for kind, level, additional in ((1, 18, 0), (1, 22, 0), (2, 5, 0), (2, 7, 0), (3, 0, 7)):
            raw.call(16, struct.pack("<HBBIHHIII16s", 41, kind, level, 4096, 104, 0, 0, additional, 0, file_id) + b"\0")


def setting(one, number):
    """Times, the end of file, a rename and back."""
    with opened(one, access=0x001F01FF) as (raw, file_id):

        def set_info(level, data):
            raw.call(17, struct.pack("<HBBIHHI16s", 33, 1, level, len(data), 96, 0, 0, file_id) + data)

        set_info(4, struct.pack("<QQQQII", 0, 0, 0, 0, 0x20, 0))
        set_info(20, struct.pack("<Q", 80000 + number))
        check(os.path.getsize(f"{ROOT}/data") == 80000 + number, "the size was set, and is another")
        for name in ("renamed", "data"):
            text = name.encode("utf-16-le")
            set_info(10, struct.pack("<B7xQI", 1, 0, len(text)) + text)
            check(os.path.exists(f"{ROOT}/{name}"), "the file was renamed, and is not there")


def locks(one, _number):
    with opened(one) as (raw, file_id):
        for flags in (0x12, 4):
            raw.call(10, struct.pack("<HHI16sQQII", 48, 1, 0, file_id, 10, 20, flags, 0))


def extended(one, _number):
    """A named stream and an extended attribute."""
    with opened(one, "data:stream") as (raw, file_id):
        raw.write(file_id, 0, b"in a stream")
    with opened(one, access=0x001F01FF) as (raw, file_id):
        entry = struct.pack("<IBBH", 0, 0, 4, 5) + b"NAME\0value"
        raw.call(17, struct.pack("<HBBIHHI16s", 33, 1, 15, len(entry), 96, 0, 0, file_id) + entry)


def control(one, _number):
    """FSCTL_QUERY_NETWORK_INTERFACE_INFO, and a pipe that the daemon serves."""
    raw = one.session()
    raw.call(11, struct.pack("<HHI16sIIIIIIII", 57, 0, 0x001401FC, b"\xff" * 16, 120, 0, 0, 120, 0, 4096, 1, 0) + b"\0")
    with opened(one) as (raw, file_id):
        raw.call(7, struct.pack("<HHI", 24, 0, 0) + file_id)


WORK = {
    "connect": connect, "create": create, "create-contexts": with_oplock_and_contexts, "write": write, "read": read, "directory": directory,
    "query-info": information, "set-info": setting, "lock": locks, "extended": extended, "ioctl": control,
}


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
        self.faults, self.log = _faults[kind], klog.KernelLog()
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
        except BlockingIOError:
            raise Failure(f"with {what} failing, a request was never answered, and the connection stayed open") from None
        except (Failure, OSError, struct.error) as problem:
            outcome = problem
        kept, stacks = self.log.without_injected(self.log.read())
        self.places |= sites(stacks)
        injected = "\n".join(stacks[-1]) if stacks else "(it did not print its stack)"
        bad = self.log.bad(kept)
        if bad:
            raise Failure(f"with {what} failing, the kernel log says:\n" + "\n".join(bad) + f"\nthe allocation that failed:\n{injected}")
        if outcome is not None and re.search("succeeded and|is not there|and is another|lacks a file", str(outcome)):
            raise Failure(f"with {what} failing: {outcome}\nthe allocation that failed:\n{injected}")
        return outcome

    def find_count(self, work, after):
        """Works until an allocation fails, after which the kernel's count is known."""

        def once():
            after(self._judged("one of its allocations", work, 0))

        if not self.faults.find_count(once):
            raise Skip("the work makes hardly any such allocations")

    def find_count_by_connecting(self):
        """The same where the work itself takes long; the server must run."""
        one = Client()
        self.find_count(lambda number: connect(one, number), lambda _outcome: one.drop())

    def every(self, work, after=lambda outcome: None, steps=None, is_count_known=False):
        """Lets each n fail, or each of `steps`. `after` is told how the work ended, and cleans up."""
        misses = 0
        if not is_count_known:
            self.find_count(work, after)
        for number in steps or range(1, MOST):
            hit, outcome = self.one(number, work)
            after(outcome)
            misses = 0 if hit else misses + 1
            if misses > MISSES:
                return
            if not hit:
                self.find_count(work, after)
        check(steps, f"there is no end of allocations to fail after {MOST}")

    def told(self):
        return f"{self.hits} allocations failed at {len(self.places)} places, {self.refused} times the request or connection with them"


def piece(name, kind):
    def run_piece(server):
        sweep, one = Sweep(kind), Client()
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
        if sweep.hits == 0 and kind == "fail_page_alloc":
            raise Skip("the work takes no pages but those that slabs grow by, now and then")
        check(sweep.hits > 0, "no allocation failed: the sweep did not test anything")
        wait_for("the connections to go", lambda: not connections(), timeout=30)
        check(server.state() == "running", f"the server is {server.state()} now")

    return run_piece


def connections():
    return procfs.connections(servers.PORT)


for _name in WORK:
    for _kind in KINDS:
        suite.add(f"{_name}.{_kind}", piece(_name, _kind), timeout=600)


def growing(most=2000):
    """1, 2, 3, ... with distances that grow: samples of work that takes too long to do it for each n."""
    number = 1
    while number < most:
        yield number
        number += max(1, number // 5)


@suite.test("mount", timeout=900)
def mount(_server):
    """A mount of cifs.ko, I/O, unmount: n grows in steps, since each cycle takes long; every n of each request is swept above."""
    sweep = Sweep("failslab")

    def cycle(number):
        data = os.urandom(100000)
        # The client fails softly instead of trying again for ever; its own cache is passed by.
        with client.mounted("share", soft=True, retrans="1", echo_interval="5", cache="none") as where:
            with open(f"{where}/cycle", "wb") as file:
                file.write(data)
            with open(f"{where}/cycle", "rb") as file:
                check(file.read() == data, f"the file read succeeded and differs ({number})")
            os.listdir(where)
            os.rename(f"{where}/cycle", f"{where}/cycled")
            os.unlink(f"{where}/cycled")

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
    sweep = Sweep("failslab")
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


@suite.test("end", timeout=600)
def ending(server):
    """Stopping and unloading: whatever fails, all of it goes."""
    sweep = Sweep("failslab")
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
