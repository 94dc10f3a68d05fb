# SPDX-License-Identifier: GPL-2.0
"""What is counted when nobody works: memory of the kernel by kind, and handles. None of it may grow from one calm to the next. What cannot
be counted while the server runs is a fault: it would look like nothing."""

import os

from benchmark import memory
from lib import machine, procfs, servers
from lib.proc import Failure

from .kinds import KINDS


def _sockstat():
    with open("/proc/net/sockstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("TCP:"):
                words = line.split()
                return {name: int(value) for name, value in zip(words[1::2], words[2::2])}
    raise Failure("/proc/net/sockstat does not count TCP sockets")


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        raise Failure(f"there is no {path} to count by") from None


# The module's own lists; the C module has not all of them.
LISTS = {"sessions": "sessions/sessions", "trees": "trees", "opens": "files", "locks": "locks"}


def _records(name):
    """The records of a file below /proc/fs/ksmbd, which have an empty line after each."""
    parts = [part for part in _text(f"/proc/fs/ksmbd/{name}").split("\n\n") if part.strip()]
    strange = next((part for part in parts if ":\t" not in part), None)
    if strange:
        raise Failure(f"/proc/fs/ksmbd/{name} has something else than records: {strange!r}")
    return len(parts)


def connections():
    """TCP connections of the server's port that exist."""
    return len(procfs.connections(servers.PORT))


def _daemon(server):
    """(resident KiB, open descriptors) of ksmbd.mountd."""
    pid = server.daemon.pid
    resident = next((int(line.split()[1]) for line in _text(f"/proc/{pid}/status").splitlines() if line.startswith("VmRSS")), None)
    if not resident:
        raise Failure("the daemon has ended")
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
    seen.update({name: _records(path) if server.module == "ours" else 0 for name, path in LISTS.items()})
    seen.update({
        "SUnreclaim": info["SUnreclaim"], "files": files, "sockets": _sockstat()["alloc"], "connections": connections(),
        "threads": len(procfs.kernel_threads("ksmbd")), "references": int(_text("/sys/module/ksmbd/refcnt")), "daemon-memory": resident, "daemon-descriptors": descriptors,
    })
    return {name: seen[name] for name in KINDS}
