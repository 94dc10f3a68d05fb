# SPDX-License-Identifier: GPL-2.0
"""The clients: the kernel's cifs.ko and smbclient."""

import contextlib
import os
import re

from . import machine
from .proc import Failure, check, run, wait_for

HOST = "127.0.0.1"
MOUNT = "/mnt/smb"


def options_text(user, password, options):
    given = {"username": user, "password": password, **options}
    if user is None:
        given.pop("username")
        given.pop("password")
    words = []
    for key, value in given.items():
        if value is True:
            words.append(key)
        elif value not in (None, False):
            words.append(f"{key}={value}")
    return ",".join(words)


def try_mount(share, where=MOUNT, user=machine.USER, password=machine.PASSWORD, host=HOST, timeout=90, **options):
    """Mounts; returns the Result whatever happened. An option that is True is a flag."""
    os.makedirs(where, exist_ok=True)
    options.setdefault("vers", "3.1.1")
    return run("mount", "-t", "cifs", f"//{host}/{share}", where, "-o", options_text(user, password, options), ok=False, timeout=timeout)


def umount(where=MOUNT):
    """Unmounts, waiting while the kernel still finishes with files just closed."""
    last = []

    def attempt():
        last[:] = [run("umount", where, ok=False, timeout=120)]
        return last[0].status == 0

    wait_for(f"umount {where} to succeed", attempt, timeout=30, step=0.3)


@contextlib.contextmanager
def mounted(share, where=MOUNT, **options):
    """A mount for the length of a `with` block; gives its path."""
    result = try_mount(share, where, **options)
    if result.status != 0:
        raise Failure(f"mounting //{HOST}/{share} with {options} failed: {result.output.strip()}")
    try:
        yield where
    except BaseException:
        run("umount", "-l", where, ok=False)
        raise
    umount(where)


def clean_up():
    """Takes away every cifs mount, by force. The client gives its connections up by itself, some of them only after this has returned."""
    with open("/proc/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1] for line in file if line.split()[2] in ("cifs", "smb3")]
    for where in reversed(mounts):
        run("umount", "-f", "-l", where, ok=False)


def connection():
    """What cifs.ko says of its connection: dialect, cipher, signed, encrypted, nocase, posix."""
    with open("/proc/fs/cifs/DebugData", encoding="utf-8") as file:
        text = file.read()
    dialect = re.search(r"Dialect (0x[0-9a-f]+)", text)
    check(dialect, f"cifs.ko reports no connection: {text}")
    cipher = re.search(r"Negotiated cipher \((.*?)\)", text)
    session = re.search(r"SessionId: 0x[0-9a-f]+(.*)", text)
    # `seal` is a property of each tree connect in cifs.ko.
    trees = re.findall(r"^.*type: DISK.*$", text, re.MULTILINE)
    return {
        "dialect": int(dialect.group(1), 16),
        "cipher": cipher.group(1) if cipher else None,
        "session": session.group(1).strip() if session else "",
        "sealed": bool(trees) and all(" encrypted" in tree for tree in trees),
        "text": text,
    }


def smbclient(share, commands=None, *extra, user=machine.USER, password=machine.PASSWORD, ok=True, timeout=90):
    """Runs smbclient on a share with `-c commands`."""
    who = ["-U", f"{user}%{password}"] if user else ["-N"]
    args = ["smbclient", f"//{HOST}/{share}", *who, "-m", "SMB3", *extra]
    if commands is not None:
        args += ["-c", commands]
    return run(*args, ok=ok, timeout=timeout)
