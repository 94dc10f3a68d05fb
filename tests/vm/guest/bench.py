# SPDX-License-Identifier: GPL-2.0
"""The guest's half of `make bench`: runs the groups of cases that the job names against one server, and sends each figure."""

import contextlib
import os
import platform
import signal
import traceback

from benchmark import io, memory, names, raw
from benchmark.measure import ROOT, mounted, quiet
from lib import client, events, machine, rawsmb, servers
from lib.proc import Failure, run as run_program

# Memory first: in a fresh machine there are no half-empty slabs for the server to fill.
GROUPS = {
    "memory": memory.run,
    "raw": raw.run,
    "create": names.create,
    "names": names.names,
    "io-plain": lambda *args: io.run("plain", *args),
    "io-sign": lambda *args: io.run("sign", *args),
    "io-seal": lambda *args: io.run("seal", *args),
}


def _result(row, value):
    events.send(event="result", row=row, value=value)


def _note(text):
    events.send(event="note", text=text)


def _describe():
    with open("/proc/crypto", encoding="ascii") as file:
        drivers = [line.split(":")[1].strip() for line in file if line.startswith("driver")]
    aes = sorted(name for name in drivers if "gcm" in name or "cmac" in name)
    _note(f"kernel {platform.release()}; crypto drivers: {', '.join(aes) or 'library only'}")


@contextlib.contextmanager
def never_idle():
    """Keeps the processor busy with nothing for a while. An idle guest's clock jumps from timer to timer, so while it waits for the
    host's files, seconds would pass for minutes and every timeout would fire."""
    child = os.fork()
    if child == 0:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while True:
            pass
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def set_up(kind):
    """The server runs, and what the cases need of the host's files is in memory."""
    quiet()
    machine.Disk("tmpfs", "size=600m").mount(ROOT)
    os.chmod(ROOT, 0o777)
    server = servers.make(kind)
    server.start({"share": {"path": ROOT}})
    with mounted():
        rawsmb.session("share", machine.USER, machine.PASSWORD).close_socket()
        os.listdir(ROOT)
    run_program("dmesg")
    _describe()
    return server


def run(job):
    """Every wanted group; one that fails is reported and does not hide the others."""
    with never_idle():
        server = set_up(job["server"])
    for name, function in GROUPS.items():
        if name not in job["groups"]:
            continue
        events.send(event="group", group=name)
        try:
            function(job["repeats"], _result, _note)
        except Exception as problem:
            why = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            log = run_program("dmesg", ok=False).output.splitlines()[-12:]
            events.send(event="failed", group=name, why=why + server.diagnosis() + "\nkernel log:\n" + "\n".join(log))
            client.clean_up()
