# SPDX-License-Identifier: GPL-2.0
"""What is in files: read so that a refusal cannot pass for a content, and compared so that a failure tells where it differs."""

import os


def read(path):
    """All of a file. Python's own file objects return None, or a part, when a read is refused with EAGAIN, which is what cifs.ko says
    when its server lacks memory; here that is the error that it is."""
    parts = []
    handle = os.open(path, os.O_RDONLY)
    try:
        while part := os.read(handle, 1 << 20):
            parts.append(part)
    finally:
        os.close(handle)
    return b"".join(parts)


def difference(got, want):
    """How `got` is other than `want`, in words; None when they are the same."""
    if got == want:
        return None
    first = next((at for at, (one, other) in enumerate(zip(got, want)) if one != other), min(len(got), len(want)))
    there, expected = (bytes(part[first : first + 16]).hex() or "nothing" for part in (got, want))
    return f"{len(got)} bytes instead of {len(want)}, from byte {first} on {there} instead of {expected}"
