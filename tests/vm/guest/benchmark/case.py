# SPDX-License-Identifier: GPL-2.0
"""What a case is, and the list of all: data alone. Imports nothing that only a guest has: the host reads the same list.

A row's name begins with who asks: `cifs` for the kernel's client with its cost in the figure, `load` for the load generator of
tests/load, whose own cost is subtracted. To add a case is to add a line to one of the tables; its group says who measures it."""

# (unit, whether a larger figure is the better one)
MB_S = ("MB/s", True)
IOPS = ("IOPS", True)
MICROSECONDS = ("us", False)
MILLISECONDS = ("ms", False)
BYTES = ("bytes", False)

KIB, MIB = 1 << 10, 1 << 20

# name: (whether cifs.ko can be made to choose it, MiB that a sequential pass moves, requests of a random pass). A pass is as long as
# it takes to drown its ends, and no longer: some algorithms cost a hundred times as much as none.
PROTECTIONS = {
    "plain": (True, 64, 2000),
    "hmac-sha256": (True, 12, 1000),
    "aes-cmac": (True, 12, 1000),
    "aes-gmac": (False, 24, 1000),
    "aes-128-ccm": (True, 12, 800),
    "aes-128-gcm": (True, 24, 1000),
    "aes-256-ccm": (False, 12, 800),
    "aes-256-gcm": (True, 24, 1000),
}

# name: (way, bytes of a block, depth through cifs.ko, depth of the load generator, random)
BLOCKS = {
    "read-64k": ("read", 64 * KIB, 1, 4, False),
    "read-1m": ("read", MIB, 1, 4, False),
    "read-4m": ("read", 4 * MIB, 1, 4, False),
    "write-64k": ("write", 64 * KIB, 1, 4, False),
    "write-1m": ("write", MIB, 1, 4, False),
    "write-4m": ("write", 4 * MIB, 1, 4, False),
    "randread-4k-1": ("read", 4 * KIB, 1, 1, True),
    "randread-4k-32": ("read", 4 * KIB, 32, 32, True),
    "randwrite-4k-1": ("write", 4 * KIB, 1, 1, True),
    "randwrite-4k-32": ("write", 4 * KIB, 32, 32, True),
}

# files of a directory: (how many of them a round creates and removes, rounds of one measurement)
DIRECTORIES = {10: (5, 8), 1000: (20, 2), 10_000: (20, 1), 100_000: (8, 1)}

# What is done in a directory: (unit, what it is)
NAMES = {
    "create": (MICROSECONDS, "create a file"),
    "open-close": (MICROSECONDS, "open and close a file"),
    "stat": (MICROSECONDS, "stat a file, nothing cached"),
    "rename": (MICROSECONDS, "rename a file"),
    "unlink": (MICROSECONDS, "remove a file"),
    "readdir": (MILLISECONDS, "list all"),
}

# Who works in a directory, and what the server is asked to make of letters' cases.
NAMERS = {
    "cifs": "cifs.ko, case-insensitive",
    "cifs-posix": "cifs.ko, POSIX extensions",
    "load": "load generator, case-insensitive",
}

# name: (group, unit, what it is)
OTHERS = {
    "cifs-tree-copy": ("trees", MILLISECONDS, "copy a tree of 300 files in 21 directories to the share"),
    "cifs-tree-delete": ("trees", MILLISECONDS, "delete that tree"),
    "load-connect": ("connect", MICROSECONDS, "connect, log on, connect to the share, log off"),
    "memory-connection": ("memory", BYTES, "memory of the server for an idle connection to the share (with both ends' sockets)"),
    "memory-session": ("memory", BYTES, "memory of the server for another session on a connection"),
    "memory-open": ("memory", BYTES, "memory of the server for an open file"),
    "module-text": ("host", BYTES, "code and constants of the module"),
}

# What is measured with several processors, by the load generator: (arguments, whether the time of a piece or of a byte counts)
SCALING = {
    "read-1m": (["blocks", "read", "--size", str(MIB), "--count", "48", "--depth", "4"], "bytes"),
    "write-1m": (["blocks", "write", "--random", "--size", str(MIB), "--count", "32", "--depth", "4"], "bytes"),
    "read-1m-aes-128-gcm": (["blocks", "read", "--size", str(MIB), "--count", "12", "--depth", "4", "--protection", "aes-128-gcm"], "bytes"),
    "randread-4k": (["blocks", "read", "--random", "--count", "800", "--depth", "8"], "count"),
    "randwrite-4k": (["blocks", "write", "--random", "--count", "800", "--depth", "8"], "count"),
    "names": (["names", "crowd", "--files", "200", "--count", "20", "--rounds", "2"], "count"),
    "connect": (["connect", "--count", "10"], "count"),
}


class Row:
    """One line of the table. `group` names the function of the guest that measures it, with others; `how` is what that must know."""

    def __init__(self, name, group, unit, title, **how):
        self.name, self.group, self.title, self.how = name, group, title, how
        self.unit, self.larger_is_better = unit


def _blocks(client, protection):
    _, mib, requests = PROTECTIONS[protection]
    for name, (way, size, cifs_depth, load_depth, is_random) in BLOCKS.items():
        depth = cifs_depth if client == "cifs" else load_depth
        yield Row(
            f"{client}-{name}-{protection}", f"{client}-{protection}", IOPS if is_random else MB_S,
            f"{'random' if is_random else 'sequential'} {way}, blocks of {size // KIB} KiB, {depth} at a time, {protection}",
            way=way, size=size, depth=depth, random=is_random, count=requests if is_random else max(mib * MIB // size, 3), protection=protection,
        )


def _names(size):
    for namer, who in NAMERS.items():
        for step, (unit, what) in NAMES.items():
            yield Row(f"{namer}-{step}-{size}", f"directory-{size}", unit, f"{what} in a directory of {size} ({who})", namer=namer, step=step, size=size)


def rows():
    """Every row, in the table's order."""
    table = []
    for protection, (by_cifs, _, _) in PROTECTIONS.items():
        for client in ("cifs", "load") if by_cifs else ("load",):
            table += _blocks(client, protection)
    for size in DIRECTORIES:
        table += _names(size)
    return table + [Row(name, *rest) for name, rest in OTHERS.items()]
