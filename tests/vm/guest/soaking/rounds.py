# SPDX-License-Identifier: GPL-2.0
"""The guest's half of `make soak`: clients of every kind work; daemons and the module come and go meanwhile; and after each round
everybody pauses and it is counted what is left."""

import contextlib
import os
import time

from lib import client, events, klog, leaks, machine, servers
from lib.proc import Failure, check, patient, run, wait_for

from . import clients, sample

ROOT = clients.ROOT
# Seconds of work between two calms; what disturbs it happens in the middle.
ROUND = 30


def set_up(server):
    machine.Disk("ext4").mount(ROOT)
    os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}})


def kill_daemon(server):
    """The daemon dies and another takes over; the connections stay."""
    check(server.kill_daemon(), "no daemon was running")
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/ksmbd.lock")
    server.start_daemon()
    wait_for("the daemon's successor to serve", lambda: client.smbclient("share", "ls", ok=False).status == 0, timeout=120)


def reset(server):
    """ksmbd.control -s under load, and another start."""
    server.control_stop()
    server.start_daemon()
    wait_for("the port", servers.port_open, timeout=60)


def reload(server):
    """The module goes while clients work, and comes back."""
    server.control_stop()
    server.unload()
    server.load()
    server.start_daemon()
    wait_for("the port", servers.port_open, timeout=60)


DISTURBANCES = (None, kill_daemon, None, reset, None, reload)


class Soak:
    def __init__(self, server, minutes, seed):
        self.server, self.end = server, time.monotonic() + minutes * 60
        self.log = klog.KernelLog()
        self.log.read()
        self.disturbances = clients.Disturbances()
        self.workers = clients.everybody(seed, self.disturbances)
        self.begin = time.monotonic()
        self.samples = 0

    def elapsed(self):
        return round(time.monotonic() - self.begin, 1)

    def work(self, disturbance):
        for worker in self.workers:
            worker.going.set()
        time.sleep(patient(ROUND) / 2)
        if disturbance:
            events.send(event="mark", at=self.elapsed(), what=disturbance.__name__)
            with self.disturbances.disturbed():
                disturbance(self.server)
        time.sleep(patient(ROUND) / 2)

    def calm(self):
        """Everybody pauses; what they had goes."""
        for worker in self.workers:
            worker.going.clear()
        for worker in self.workers:
            wait_for(f"the client {worker.name} to finish its turn", worker.idle.is_set, timeout=300)
        client.clean_up()
        for name in os.listdir(ROOT):
            if name != "lost+found":
                run("rm", "-rf", f"{ROOT}/{name}")
        wait_for("the connections to go", lambda: sample.connections() == 0, timeout=120)

    def check(self):
        bad = self.log.bad(self.log.read())
        if bad:
            raise Failure("the kernel log says:\n" + "\n".join(bad))
        for worker in self.workers:
            if worker.fault:
                raise Failure(f"client {worker.name}: {worker.fault}")

    def sample(self):
        self.samples += 1
        turns = {worker.name: [worker.done, worker.failed] for worker in self.workers}
        events.send(event="sample", at=self.elapsed(), values=sample.take(self.server), turns=turns)

    def run(self):
        for worker in self.workers:
            worker.start()
        number = 0
        while time.monotonic() < self.end or number < 2 * len(DISTURBANCES):
            self.work(DISTURBANCES[number % len(DISTURBANCES)])
            self.calm()
            self.check()
            self.sample()
            number += 1
        for worker in self.workers:
            worker.ended = True
            if worker.done == 0:
                raise Failure(f"the client {worker.name} never succeeded: {worker.last}")
        self.server.stop()
        self.check()


def run_soak(job):
    server = servers.make(job["server"])
    try:
        set_up(server)
        Soak(server, job["minutes"], job["seed"]).run()
        if leaks.available():
            found = [record for record in leaks.records() if leaks.is_ours(record)]
            if found:
                raise Failure(f"{len(found)} objects leaked:\n" + leaks.summary(found))
    except Failure as failure:
        events.send(event="failed", why=str(failure) + server.diagnosis())
