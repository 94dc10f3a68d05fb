# SPDX-License-Identifier: GPL-2.0
"""What a case is, and the list of all. Imports nothing that only a guest has: the host reads the same list."""

# (unit, whether a larger figure is the better one)
MB_S = ("MB/s", True)
IOPS = ("IOPS", True)
MICROSECONDS = ("us", False)
MILLISECONDS = ("ms", False)
BYTES = ("bytes", False)

PROTECTIONS = ("plain", "sign", "seal")
DIRECTORY_SIZES = (250, 1000, 4000)


class Row:
    """One line of the table. `group` names the function of the guest that measures it, with others."""

    def __init__(self, name, group, unit, title):
        self.name, self.group, self.title = name, group, title
        self.unit, self.larger_is_better = unit


def rows():
    """Every row, in the table's order."""
    table = []

    def add(name, group, unit, title):
        table.append(Row(name, group, unit, title))

    for protection in PROTECTIONS:
        add(f"read-1m-{protection}", f"io-{protection}", MB_S, f"sequential read, 1 MiB each, {protection}")
        add(f"write-1m-{protection}", f"io-{protection}", MB_S, f"sequential write, 1 MiB each, {protection}")
        add(f"randread-4k-{protection}", f"io-{protection}", IOPS, f"random read, 4 KiB, {protection}")
        add(f"randwrite-4k-{protection}", f"io-{protection}", IOPS, f"random write, 4 KiB, {protection}")
    for size in DIRECTORY_SIZES:
        add(f"create-{size}", "create", MICROSECONDS, f"create a file in a directory of {size}")
    add("open-close", "names", MICROSECONDS, "open and close a file in a directory of 4000")
    add("stat", "names", MICROSECONDS, "stat a file in a directory of 4000, nothing cached")
    add("unlink", "names", MICROSECONDS, "unlink a file in a directory of 4000")
    add("list-4000", "names", MILLISECONDS, "list a directory of 4000")
    add("connect", "raw", MICROSECONDS, "connect, log on, connect to the share, log off (without the client's cost)")
    add("raw-echo", "raw", MICROSECONDS, "ECHO (without the client's cost)")
    add("raw-open-close", "raw", MICROSECONDS, "CREATE and CLOSE of a file (without the client's cost)")
    add("raw-read-4k", "raw", MICROSECONDS, "READ of 4 KiB (without the client's cost)")
    add("raw-read-1m", "raw", MICROSECONDS, "READ of 1 MiB (without the client's cost)")
    add("raw-write-4k", "raw", MICROSECONDS, "WRITE of 4 KiB (without the client's cost)")
    add("raw-write-1m", "raw", MICROSECONDS, "WRITE of 1 MiB (without the client's cost)")
    add("memory-connection", "memory", BYTES, "kernel memory of an idle authenticated connection (with both ends' sockets)")
    add("memory-open", "memory", BYTES, "kernel memory of an open file")
    return table
