# SPDX-License-Identifier: GPL-2.0
"""The kernel's cryptography: loads what a real host loads for its processor, and tells which implementation serves an algorithm."""

import os
import re
import subprocess

from lib.proc import Skip, run

from .case import PROTECTIONS
from .load import Holder
from .measure import data_file

MODALIAS = "/sys/devices/system/cpu/modalias"
# Templates that a host has loaded as soon as anybody asked for them, so that no first request pays for it.
TEMPLATES = ("gcm", "ccm", "cmac", "hmac", "ctr")

# What the names of an algorithm's implementations contain, with those of the modes that it can be put together from.
MODES = {
    "hmac-sha256": "sha256", "aes-cmac": "cmac|cbc-", "aes-gmac": "gcm", "aes-128-ccm": "ccm|cbc-|ctr-", "aes-256-ccm": "ccm|cbc-|ctr-",
    "aes-128-gcm": "gcm", "aes-256-gcm": "gcm",
}


def load_modules():
    """What udev would load for this processor, of the crypto modules; their names."""
    with open(MODALIAS, encoding="ascii") as file:
        alias = file.read().strip()
    resolved = subprocess.run(["modprobe", "-R", alias], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.split()
    loaded = []
    for name in [*sorted(set(resolved)), *TEMPLATES]:
        where = subprocess.run(["modinfo", "-n", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        if "/crypto/" in where and subprocess.run(["modprobe", "-q", name], check=False).returncode == 0:
            loaded.append(name)
    return loaded


def in_use():
    """{driver: references} of /proc/crypto."""
    found = {}
    with open("/proc/crypto", encoding="ascii") as file:
        for block in file.read().split("\n\n"):
            fields = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
            fields = {key.strip(): value.strip() for key, value in fields.items()}
            if "driver" in fields:
                found[fields["driver"]] = max(found.get(fields["driver"], 0), int(fields["refcnt"]))
    return found


def describe(results, kind):
    """Notes, for each way to protect, which of /proc/crypto's implementations somebody holds once a session of the load generator, which
    holds none itself, has read something that was protected so."""
    if kind == "samba":
        results.note("cryptography in user space, by GnuTLS")
        return
    for protection in PROTECTIONS:
        if protection == "plain":
            continue
        try:
            with data_file(), Holder(protection) as holder:
                holder.add("reads", 1)
                now = in_use()
        except Skip as reason:
            results.note(f"{protection}: n/a ({reason})")
            continue
        held = sorted(driver for driver, count in now.items() if re.search(rf"\b({MODES[protection]})", driver) and count > 1)
        results.note(f"{protection}: {', '.join(held) if held else 'the crypto library of the kernel, which is not in /proc/crypto'}")


def kernel_line():
    """The kernel, and what it has of GCM, CCM and CMAC."""
    drivers = sorted(name for name in in_use() if any(word in name for word in ("gcm", "ccm", "cmac")))
    return f"kernel {os.uname().release}; crypto drivers: {', '.join(drivers) or 'none'}; lscpu: {_features()}"


def _features():
    words = ("aes", "pclmulqdq", "sha_ni", "vaes", "vpclmulqdq", "avx2", "avx512f")
    flags = run("grep", "-m1", "^flags", "/proc/cpuinfo").output.split()
    return " ".join(word for word in words if word in flags)
