# SPDX-License-Identifier: GPL-2.0
"""What is counted when nobody works: memory of the kernel by kind, and handles. None of it may grow from one calm to the next."""

import os

from benchmark import memory
from lib import machine, procfs, servers

from .kinds import KINDS


def _sockstat():
    with open("/proc/net/sockstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("TCP:"):
                words = line.split()
                return {name: int(value) for name, value in zip(words[1::2], words[2::2])}
    return {}


def _module_references():
    try:
        with open("/sys/module/ksmbd/refcnt", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


# The module's own lists; the C module has not all of them.
LISTS = {"sessions": "sessions/sessions", "trees": "trees", "opens": "files", "locks": "locks"}


def _records(name):
    """The records of a file below /proc/fs/ksmbd, which have an empty line after each."""
    try:
        with open(f"/proc/fs/ksmbd/{name}", encoding="utf-8", errors="replace") as file:
            return len([part for part in file.read().split("\n\n") if ":\t" in part])
    except FileNotFoundError:
        return 0


def connections():
    """TCP connections of the server's port that exist."""
    return len(procfs.connections(servers.PORT))


def _daemon(server):
    """(resident KiB, open descriptors) of ksmbd.mountd."""
    pid = server.daemon.pid
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        resident = next((int(line.split()[1]) for line in file if line.startswith("VmRSS")), 0)
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def take(server):
    """{kind: value}; the machine must be calm."""
    machine.write("/proc/sys/vm/drop_caches", "3")
    seen = {name: value // 1024 for name, value in memory.kernel().items()}
    with open("/proc/meminfo", encoding="ascii") as file:
        info = {line.split(":")[0]: int(line.split()[1]) for line in file}
    with open("/proc/sys/fs/file-nr", encoding="ascii") as file:
        files = int(file.read().split()[0])
    resident, descriptors = _daemon(server)
    seen.update({name: _records(path) for name, path in LISTS.items()})
    seen.update({
        "SUnreclaim": info["SUnreclaim"], "files": files, "sockets": _sockstat().get("alloc", 0), "connections": connections(),
        "threads": len(procfs.kernel_threads("ksmbd")), "references": _module_references(), "daemon-memory": resident, "daemon-descriptors": descriptors,
    })
    return {name: seen[name] for name in KINDS}
