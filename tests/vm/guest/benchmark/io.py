# SPDX-License-Identifier: GPL-2.0
"""Reading and writing through cifs.ko, without its cache."""

import os
import random

from lib.proc import check

from .measure import MIB, PAGE, ROOT, mounted, protection_in_use, timed

# MiB that one sequential pass moves, and requests that one random pass makes: enough to drown the ends, and no more.
SEQUENTIAL = {"plain": 64, "sign": 16, "seal": 24}
RANDOM = {"plain": 1500, "sign": 800, "seal": 1000}
FILE_MIB = 64


def _read(fd, offsets, buffer):
    for offset in offsets:
        if os.preadv(fd, [buffer], offset) != len(buffer):
            raise OSError("short read")


def _write(fd, offsets, buffer):
    for offset in offsets:
        if os.pwritev(fd, [buffer], offset) != len(buffer):
            raise OSError("short write")


def _random_offsets(count):
    source = random.Random(4096)
    return [source.randrange(FILE_MIB * MIB // PAGE) * PAGE for _ in range(count)]


def _prepare():
    pattern = random.Random(1).randbytes(MIB)
    with open(f"{ROOT}/data", "wb") as file:
        for _ in range(FILE_MIB):
            file.write(pattern)
    os.chmod(f"{ROOT}/data", 0o666)
    return pattern


def _fresh_write(where, count, buffer):
    """A new file each pass, as a copy makes: the server allocates its pages."""
    fd = os.open(f"{where}/new", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        return timed(_write, fd, [index * MIB for index in range(count)], buffer)
    finally:
        os.close(fd)
        os.unlink(f"{where}/new")


def run(protection, repeats, result, note):
    """Rows *-{protection}."""
    pattern = _prepare()
    large, small = bytearray(MIB), bytearray(PAGE)
    count = SEQUENTIAL[protection]
    sequence = [index * MIB for index in range(count)]
    scattered = _random_offsets(RANDOM[protection])
    with mounted(protection) as where:
        note(f"{protection}: {protection_in_use()}")
        fd = os.open(f"{where}/data", os.O_RDWR)
        try:
            _read(fd, sequence[:2], large)
            check(large == pattern, "what was read is not what the file holds")
            for _ in range(repeats):
                result(f"read-1m-{protection}", count * MIB / timed(_read, fd, sequence, large) * 1e3)
            _read(fd, scattered[:20], small)
            for _ in range(repeats):
                result(f"randread-4k-{protection}", len(scattered) / timed(_read, fd, scattered, small) * 1e9)
            _write(fd, scattered[:20], small)
            for _ in range(repeats):
                result(f"randwrite-4k-{protection}", len(scattered) / timed(_write, fd, scattered, small) * 1e9)
        finally:
            os.close(fd)
        # A whole pass, so that memory which was never used before is not part of a figure.
        _fresh_write(where, count, pattern)
        for _ in range(repeats):
            result(f"write-1m-{protection}", count * MIB / _fresh_write(where, count, pattern) * 1e3)
    os.unlink(f"{ROOT}/data")
