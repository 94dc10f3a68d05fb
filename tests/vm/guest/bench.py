# SPDX-License-Identifier: GPL-2.0
"""The guest's half of `make bench` and `make bench-smp`: measures the rows that the job names against one server, and sends each figure."""

import os
import traceback

from benchmark import crypto, directories, fio, load, memory, scaling, trees
from benchmark.case import rows
from benchmark.measure import ROOT, mounted, never_idle, quiet
from benchmark.results import Results
from lib import client, events, machine, servers
from lib.proc import Failure, run as run_program

# By the start of a group's name. Memory first: in a fresh machine there are no half-empty slabs for the server to fill.
GROUPS = {
    "memory": memory.run,
    "connect": load.connect,
    "directory-": directories.run,
    "trees": trees.run,
    "cifs-": fio.blocks,
    "load-": load.blocks,
}


def set_up(kind):
    """The server runs, and what the cases need of the host's files is in memory."""
    quiet()
    loaded = crypto.load_modules()
    machine.Disk("tmpfs", "size=900m").mount(ROOT)
    os.chmod(ROOT, 0o777)
    server = servers.make(kind)
    # Samba has its POSIX extensions switched off where nobody asks for them.
    server.start({"share": {"path": ROOT, **({"smb3 unix extensions": "yes"} if kind == "samba" else {})}})
    with mounted():
        os.listdir(ROOT)
    with load.Holder() as holder:
        holder.add("opens", 0)
    for program in (["fio", "--version"], ["cp", "--version"], ["rm", "--version"], ["diff", "--version"], ["dmesg"]):
        run_program(*program)
    results = Results([])
    results.note(f"{crypto.kernel_line()}; loaded for it: {', '.join(loaded) or 'nothing'}")
    if kind == "samba":
        results.note(run_program("smbd", "--version").output.strip())
    return server


def _attempt(server, name, function, *args):
    """A group that fails is reported and does not hide the others."""
    events.send(event="group", group=name)
    try:
        function(*args)
    except Exception as problem:
        why = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
        log = run_program("dmesg", ok=False).output.splitlines()[-12:]
        events.send(event="failed", group=name, why=why + server.diagnosis() + "\nkernel log:\n" + "\n".join(log))
        client.clean_up()


def run(job):
    """Every wanted row, group by group."""
    with never_idle():
        server = set_up(job["server"])
    if job.get("scaling"):
        _attempt(server, "scaling", scaling.run, job["scaling"], job["repeats"])
        return
    groups = {}
    for row in rows():
        if row.name in job["rows"] and row.group != "host":
            groups.setdefault(row.group, []).append(row)
    for start, function in GROUPS.items():
        for name, wanted in groups.items():
            if name.startswith(start):
                _attempt(server, name, function, wanted, job["repeats"], Results(wanted))
    _attempt(server, "crypto", crypto.describe, Results([]), job["server"])
