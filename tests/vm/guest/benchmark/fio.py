# SPDX-License-Identifier: GPL-2.0
"""Reading and writing by fio through cifs.ko, without its cache."""

import json
import os

from lib.proc import Skip, check, run

from .measure import FILE_MIB, MIB, ROOT, data_file, mounted, timed


def _fio(path, how, count):
    """Runs fio once: (nanoseconds, requests, bytes, the part of that time in which nothing ran, at least)."""
    way = ("rand" if how["random"] else "") + how["way"]
    bytes_moved = count * how["size"]
    length = FILE_MIB * MIB if how["random"] or how["way"] == "read" else bytes_moved
    said = []

    def fio(*options):
        said.append(run("fio", *options, timeout=3600).output)

    spent = timed(
        fio, "--name=bench", "--thread", f"--filename={path}", f"--rw={way}", f"--bs={how['size']}", f"--size={length}", f"--io_size={bytes_moved}",
        "--direct=1", f"--ioengine={'psync' if how['depth'] == 1 else 'libaio'}", f"--iodepth={how['depth']}", "--norandommap", "--randrepeat=1",
        "--fallocate=none", "--invalidate=0", "--output-format=json",
    )
    done = json.loads(said[0][said[0].index("{") :])["jobs"][0][how["way"]]
    check(done["io_bytes"] == bytes_moved, f"fio moved {done['io_bytes']} bytes and not {bytes_moved}")
    # Its running time is in milliseconds; one request after the other, their latencies are finer.
    latency = done["lat_ns"]
    elapsed = latency["mean"] * latency["N"] if how["depth"] == 1 else done["runtime"] * 1e6
    # The program also idles before and after.
    waited = max(0.0, spent.idle - max(0.0, spent.elapsed - elapsed)) / elapsed
    return elapsed, done["total_ios"], bytes_moved, waited


def _pass(where, how, count):
    if how["way"] == "read" or how["random"]:
        return _fio(f"{where}/data", how, count)
    # A new file each pass, as a copy makes: the server allocates its pages.
    try:
        return _fio(f"{where}/new", how, count)
    finally:
        os.unlink(f"{ROOT}/new")


def blocks(rows, repeats, results):
    """Rows cifs-*-PROTECTION, all of one protection."""
    try:
        with data_file(), mounted(rows[0].how["protection"]) as where:
            for row in rows:
                # Memory that was never used before, and what is done once for a connection, are not to be part of a figure.
                _pass(where, row.how, row.how["count"] if row.how["way"] == "write" else row.how["count"] // 8 or 1)
                for _ in range(repeats):
                    elapsed, requests, moved, waited = _pass(where, row.how, row.how["count"])
                    results.value(row.name, requests / elapsed * 1e9 if row.how["random"] else moved / elapsed * 1e3, waited=waited)
    except Skip as reason:
        for row in rows:
            results.unsupported(row.name, str(reason))
