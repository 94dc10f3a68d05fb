# SPDX-License-Identifier: GPL-2.0
"""Generic netlink as the module and its daemon speak it: each message has one attribute, whose type is the command."""

import socket
import struct

NETLINK_GENERIC = 16
ERROR = 2
REQUEST, ACKNOWLEDGE = 1, 4
FAMILY = "SMBD_GENL"


def connected(port=0):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    link.bind((port, 0))
    link.settimeout(5)
    return link


def attribute(kind, payload):
    data = struct.pack("=HH", 4 + len(payload), kind) + payload
    return data + b"\0" * (-len(data) % 4)


def message(family, command, payload, flags=REQUEST | ACKNOWLEDGE):
    body = struct.pack("=BBH", command, 1, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), family, flags, 1, 0) + body


def answer(link):
    """The error number that the kernel answers with; 0 is an acknowledgment."""
    return error_of(link.recv(65536))


def error_of(data):
    """The error number that a message from the kernel tells, None if it tells something else."""
    kind = struct.unpack("=IHHII", data[:16])[1]
    return -struct.unpack("=i", data[16:20])[0] if kind == ERROR else None


def family_of(name):
    link = connected()
    link.send(message(16, 3, attribute(2, name.encode() + b"\0"), flags=REQUEST))
    data = link.recv(65536)[20:]
    link.close()
    while data:
        length, kind = struct.unpack("=HH", data[:4])
        if kind == 1:
            return struct.unpack("=H", data[4:6])[0]
        data = data[(length + 3) & ~3 :]
    raise OSError(f"no family {name}")
