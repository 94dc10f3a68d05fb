# SPDX-License-Identifier: GPL-2.0
"""Kernel memory per idle connection and per open file: all pages that are neither free nor a user's nor a cache's, before and after."""

import os
import re
import shutil
import time

from lib import machine, rawsmb

from .measure import ROOT, settle

CONNECTIONS, OPENS = 50, 2000
# The parts of it that /proc/meminfo names; what is left are pages taken straight from the page allocator.
PARTS = ("Slab", "KernelStack", "VmallocUsed", "Percpu", "PageTables")


def _meminfo():
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}


def _per_processor_lists():
    """Bytes of free pages that wait in the processors' lists, which MemFree does not count."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        return sum(int(count) for count in re.findall(r"^ +count: +(\d+)", file.read(), re.MULTILINE)) * 4096


def sample():
    """{part: bytes} of the kernel, settled."""
    machine.write("/proc/sys/vm/drop_caches", "3")
    settle(3)
    machine.write("/proc/sys/vm/compact_memory", "1")
    settle(3)
    info = _meminfo()
    users = sum(info[name] for name in ("Active", "Inactive", "Unevictable"))
    return {"kernel": info["MemTotal"] - info["MemFree"] - _per_processor_lists() - users, **{name: info[name] for name in PARTS}}


def _difference(before, after, count):
    return {name: (after[name] - before[name]) / count for name in before}


def _explain(what, each, note):
    note(f"memory of {what}: " + ", ".join(f"{name} {value:.0f}" for name, value in each.items()))


def _connect(count):
    return [rawsmb.session("share", machine.USER, machine.PASSWORD) for _ in range(count)]


def _end(connections):
    for connection in connections:
        connection.log_off()
        connection.close_socket()


def run(repeats, result, note):
    """Rows memory-*."""
    folder = f"{ROOT}/opens"
    os.makedirs(folder)
    for index in range(OPENS * repeats + 50):
        machine.write(f"{folder}/{index}", "")
    warm = _connect(5)
    groups = []
    for _ in range(repeats):
        before = sample()
        groups += _connect(CONNECTIONS)
        each = _difference(before, sample(), CONNECTIONS)
        _explain("a connection", each, note)
        result("memory-connection", each["kernel"])
    one = warm[0]
    opened = [one.create(f"opens\\{OPENS * repeats + index}") for index in range(50)]
    for turn in range(repeats):
        before = sample()
        opened += [one.create(f"opens\\{turn * OPENS + index}") for index in range(OPENS)]
        each = _difference(before, sample(), OPENS)
        _explain("an open file", each, note)
        result("memory-open", each["kernel"])
    for file_id in opened:
        one.close(file_id)
    _end(groups + warm)
    time.sleep(2)
    shutil.rmtree(folder)
