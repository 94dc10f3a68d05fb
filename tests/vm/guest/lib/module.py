# SPDX-License-Identifier: GPL-2.0
"""Where the module's code lies in memory, now and at its earlier loads: kernel facilities report addresses, also after it was unloaded."""

import os
import platform
import struct

SECTIONS = "/sys/module/ksmbd/sections"
# The beginnings of the names of sections with code.
CODE = (".text", ".init.text", ".exit.text")
# (start, end, section) of every load so far; a later one is looked at first.
_loads = []


def path():
    return f"/lib/modules/{platform.release()}/updates/ksmbd.ko"


def _code_sizes():
    """{section: size in bytes} of the module's code, from its ELF section headers. Also of what the kernel gives back once the module is
    initialised: what that allocated lives on."""
    with open(path(), "rb") as file:
        data = file.read()
    start, size, count, names = struct.unpack_from("<Q10xHHH", data, 40)
    headers = [struct.unpack_from("<IIQQQQ", data, start + size * index) for index in range(count)]
    strings = headers[names][4]
    sizes = {}
    for name, _kind, _flags, _address, _offset, length in headers:
        text = data[strings + name : data.index(b"\0", strings + name)].decode()
        if text.startswith(CODE):
            sizes[text] = length
    return sizes


_sizes = {}


def remember():
    """Notes where the module's code is, while it is loaded. Called before each unloading."""
    if not (os.path.isdir(SECTIONS) and os.path.exists(path())):
        return
    _sizes.update(_sizes or _code_sizes())
    for name, size in _sizes.items():
        if not size:
            continue
        try:
            with open(f"{SECTIONS}/{name}", encoding="ascii") as file:
                start = int(file.read(), 16)
        except FileNotFoundError:
            continue
        load = (start, start + size, name)
        if load in _loads:
            _loads.remove(load)
        _loads.insert(0, load)


def code():
    """(start, end) of the code of the module that is loaded now."""
    remember()
    return next((start, end) for start, end, name in _loads if name == ".text")


def place(address):
    """`.text+0x123 [ksmbd]` for an address in one of the loads, or None."""
    for start, end, name in _loads:
        if start <= address < end:
            return f"{name}+{address - start:#x}/{end - start:#x} [ksmbd]"
    return None
