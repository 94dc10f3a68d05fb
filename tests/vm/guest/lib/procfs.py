# SPDX-License-Identifier: GPL-2.0
"""What /proc tells of processes and sockets. In an emulated machine, starting a program to ask costs a hundred times as much."""

import os

TIME_WAIT, LISTEN = 6, 10
PF_KTHREAD = 0x0020_0000


def sockets(port):
    """The states of the TCP sockets whose local port is `port`."""
    states = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as file:
                rows = [line.split() for line in file.read().splitlines()[1:]]
        except FileNotFoundError:
            continue
        states += [int(row[3], 16) for row in rows if int(row[1].rpartition(":")[2], 16) == port]
    return states


def listens(port):
    """Whether something listens on TCP port `port`."""
    return LISTEN in sockets(port)


def connections(port):
    """The states of the connections at `port` that exist, but for those that only wait for their time to pass."""
    return [state for state in sockets(port) if state not in (TIME_WAIT, LISTEN)]


def tasks():
    """Id, name, state and flags of every task that leads a thread group; one that is just ending may be missing."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                before, _, after = file.read().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = after.split()
        yield int(pid), before.partition("(")[2], fields[0], int(fields[6])


def processes(*names):
    """The ids of the processes that are called one of `names`, but for those that ended and were not waited for yet."""
    return [pid for pid, name, state, _ in tasks() if name in names and state not in "ZX"]


def kernel_threads(beginning):
    """The names of the kernel's threads that begin so."""
    return [name for _, name, _, flags in tasks() if flags & PF_KTHREAD and name.startswith(beginning)]
