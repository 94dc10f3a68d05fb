# SPDX-License-Identifier: GPL-2.0
"""Clients that work until they are told to pause. Each turn is complete in itself: a server that goes away in the middle of one costs
that turn and nothing else. A turn that fails while nothing is disturbed is a fault, and data that was read and differs from what was
written is one whenever it happens."""

import contextlib
import os
import random
import socket
import struct
import subprocess
import threading
import time

from lib import client, content, machine, rawsmb
from lib.proc import Failure, run, wait_for

ROOT = "/srv/smb/share"
MIB = 1 << 20
# As a failed call tells it.
DELETE_PENDING = "status 0xc0000056"
SOFT = {"soft": True, "retrans": "1", "echo_interval": "5", "nosharesock": True}


class Corrupt(Exception):
    """Data came back other than it was written."""


class Disturbances:
    """What the server goes through: whether it is being disturbed, and how often that has ended."""

    def __init__(self):
        self.going, self.ended = False, 0

    @contextlib.contextmanager
    def disturbed(self):
        """The length of one: it ends when the server serves again."""
        self.going = True
        yield
        self.ended += 1
        self.going = False

    def seen(self):
        return self.going, self.ended


class Worker(threading.Thread):
    """Runs `turn(random)` again and again."""

    def __init__(self, name, turn, seed, disturbances):
        super().__init__(daemon=True, name=name)
        self.turn, self.random, self.disturbances = turn, random.Random(seed), disturbances
        self.going = threading.Event()
        self.idle = threading.Event()
        self.idle.set()
        self.ended = False
        self.done = self.failed = self.recovered = 0
        self.fault = self.last = None

    def run(self):
        while not self.ended:
            # Cleared first: who has lowered `going` and then finds `idle` knows that no turn begins any more.
            self.idle.clear()
            if self.going.is_set() and not self.fault:
                self.one()
                self.idle.set()
            else:
                self.idle.set()
                time.sleep(0.2)

    def one(self):
        """One turn. It may fail if the server was disturbed during it, and once more after that: what the last turn left is cleared away by
        the next one."""
        before = self.disturbances.seen()
        try:
            self.turn(self.random)
            self.done += 1
        except Exception as problem:
            self.failed += 1
            self.last = problem
            is_disturbed = before[0] or before != self.disturbances.seen() or self.recovered < before[1]
            if not is_disturbed or not isinstance(problem, (Failure, OSError, struct.error)):
                self.fault = f"{'' if is_disturbed else 'nothing was disturbed, and '}a turn failed: {problem!r}"
            time.sleep(0.2)
        self.recovered = before[1]


def expect(got, want, what):
    how = content.difference(got, want)
    if how:
        raise Corrupt(f"{what}: {how}")


def cifs(name, **options):
    """A kernel mount: files written, read again past the cache, renamed, listed, deleted."""
    where = f"/mnt/{name}"

    def turn(rng):
        result = client.try_mount("share", where, **SOFT, **options)
        if result.status != 0:
            raise Failure(f"mount: {result.output.strip()}")
        try:
            for number in range(rng.randrange(1, 6)):
                data = rng.randbytes(rng.choice((0, 1, 4096, 70000, 2 * MIB)))
                path = f"{where}/{name}-{number}"
                with open(path, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                with open(path, "rb") as file, contextlib.suppress(OSError):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                expect(content.read(path), data, path)
                os.rename(path, f"{path}.renamed")
                os.listdir(where)
                os.unlink(f"{path}.renamed")
        finally:
            run("umount", where, ok=False)
            run("umount", "-f", "-l", where, ok=False)

    return turn


def smbclient(name, *protection):
    """smbclient: put, get, compare, list, delete."""

    def turn(rng):
        data = rng.randbytes(rng.choice((10, 5000, 300000)))
        source, target = f"/tmp/{name}", f"/tmp/{name}.back"
        with open(source, "wb") as file:
            file.write(data)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        client.smbclient("share", f"put {source} {name}; get {name} {target}; ls; allinfo {name}; del {name}", *protection, timeout=60)
        with open(target, "rb") as file:
            expect(file.read(), data, f"{name} through smbclient")

    return turn


def killed(name):
    """A client that is killed in the middle of a write."""

    def turn(rng):
        source = f"/tmp/{name}"
        if not os.path.exists(source):
            with open(source, "wb") as file:
                file.truncate(64 * MIB)
        child = subprocess.Popen(
            ["smbclient", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}", "-mSMB3", "-c", f"put {source} {name}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            child.wait(timeout=rng.uniform(0.1, 3))
        except subprocess.TimeoutExpired:
            child.kill()
        child.wait()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{ROOT}/{name}")

    return turn


def temporary(one, name):
    """Opens a file that its close deletes, and returns its id. What the last turn left open on a connection that it cut may still be there,
    but not for long."""

    def attempt():
        try:
            return one.create(name, access=0x0013019F, disposition=5, options=0x1000)
        except Failure as problem:
            if DELETE_PENDING not in str(problem):
                raise
            return None

    return wait_for(f"{name} of the last turn to be deleted", attempt, timeout=60)


def raw(name):
    """Raw sessions with many opens, ended in every way: LOGOFF, only CLOSE, a cut socket, half a frame, garbage."""

    def turn(rng):
        one = rawsmb.Raw()
        # Nobody waits for a server that is being taken away.
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
        try:
            one.negotiate()
            one.log_on(machine.USER, machine.PASSWORD)
            one.connect_tree("share")
            data = rng.randbytes(30000)
            opens = [temporary(one, f"{name}-{number}") for number in range(rng.randrange(1, 20))]
            one.write(opens[0], 0, data)
            body = struct.pack("<HBBIQ16sIIIHH", 49, 0, 0, len(data), 0, opens[0], 0, 0, 0, 0, 0) + b"\0"
            answer = one.call(8, body)
            begin, size = struct.unpack_from("<BxI", answer, 66)
            expect(bytes(answer[begin : begin + size]), data, f"{name} through a raw session")
            way = rng.randrange(4)
            if way == 0:
                for file_id in opens:
                    one.close(file_id)
                one.log_off()
            elif way == 1:
                one.log_off()
            elif way == 2:
                one.socket.sendall(struct.pack(">I", 500) + b"\xfeSMB" + bytes(rng.randrange(400)))
            elif way == 3:
                one.socket.sendall(rng.randbytes(rng.randrange(1, 300)))
        finally:
            one.close_socket()

    return turn


def everybody(seed, disturbances):
    """The clients of a soak."""
    turns = {
        "cifs-plain": cifs("cifs-plain"),
        "cifs-seal": cifs("cifs-seal", seal=True),
        "cifs-sign": cifs("cifs-sign", sec="ntlmsspi", vers="3.0"),
        "smbclient": smbclient("smbclient"),
        "smbclient-seal": smbclient("smbclient-seal", "--client-protection=encrypt"),
        "killed": killed("killed"),
        "raw-1": raw("raw-1"),
        "raw-2": raw("raw-2"),
    }
    return [Worker(name, turn, f"{seed}-{name}", disturbances) for name, turn in turns.items()]
