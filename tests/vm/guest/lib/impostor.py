# SPDX-License-Identifier: GPL-2.0
"""A process that registers with the module as its daemon, answers as one, and, when a test says so, otherwise."""

import struct
import threading

from . import machine, netlink, rawsmb
from .proc import check, patient

STARTING_UP, LOGIN, SHARE, TREE, RPC, GROUPS = 2, 4, 6, 8, 12, 16
OK, HAS_GROUPS = 1, 0x40
AVAILABLE, WRITEABLE, PIPE = 1, 4, 0x100
CLOSE = 0x80


def startup(port=445):
    """What starts the server: SMB 2.1 to 3.1.1, on the loopback interface; zero stands for the default."""
    head = struct.pack("<II16s16s16s64s64sHHI", 0, 1, b"SMB2_10", b"SMB3_11", b"KSMBD", b"WORKGROUP", b"impostor", port, 0, 0)
    fields = bytearray(744)
    fields[: len(head)] = head
    struct.pack_into("<III", fields, 212, 1, 2, 3)
    fields[236] = 1
    interfaces = b"lo\0"
    struct.pack_into("<I", fields, 740, len(interfaces))
    return bytes(fields) + interfaces


def login(handle, password=machine.PASSWORD, account=machine.USER.encode(), status=OK, hash_size=16, uid=0):
    head = struct.pack("<III48sHH18s2xII", handle, 0, uid, account, status, hash_size, rawsmb.nt_hash(password), 0, 0)
    return head.ljust(148, b"\0")


def groups(handle, count=0, data=b""):
    return struct.pack("<Ii128x", handle, count) + data


def share(handle, name, path, flags=AVAILABLE | WRITEABLE, payload_size=None, veto_size=0):
    payload = path.encode() + b"\0"
    size = len(payload) if payload_size is None else payload_size
    head = struct.pack("<IIHHHHHH64s", handle, flags, 0o777, 0o777, 0, 0, 0xFFFF, 0xFFFF, name)
    return head.ljust(528, b"\0") + struct.pack("<II", size, veto_size) + payload


def tree(handle, status=0, flags=4):
    return struct.pack("<IHH64x", handle, status, flags)


def rpc(handle, status=0, payload=b"", size=None):
    return struct.pack("<III", handle, status, len(payload) if size is None else size) + payload


class Impostor(threading.Thread):
    """Answers every request truthfully, but for the next one of each command for which `instead` has a function: that gets the handle, the
    request and the true answer, and gives the (command, payload) pairs to send, if any."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.instead = path, {}
        # The errors that the module gave for what was sent, in their order.
        self.refused = []
        # Whether who logs in has further groups, which are asked for.
        self.extends_logins = False
        self.family = netlink.family_of(netlink.FAMILY)
        self.link = netlink.connected()
        self.link.settimeout(0.2)
        self.ended = threading.Event()
        self.problem = None
        self.send(STARTING_UP, startup())

    def send(self, command, payload):
        self.link.send(netlink.message(self.family, command, netlink.attribute(command, payload)))

    def truth(self, command, handle, request):
        if command == LOGIN:
            return login(handle, status=OK | HAS_GROUPS if self.extends_logins else OK)
        if command == GROUPS:
            return groups(handle)
        if command == SHARE:
            name = request[4:68]
            is_pipe = name.rstrip(b"\0").upper() == b"IPC$"
            return share(handle, name, self.path, AVAILABLE | (PIPE if is_pipe else WRITEABLE))
        return {TREE: tree, RPC: rpc}[command](handle)

    def run(self):
        try:
            while not self.ended.is_set():
                self.one()
        except Exception as problem:
            self.problem = problem

    def one(self):
        try:
            data = self.link.recv(65536)
        except TimeoutError:
            return
        code = netlink.error_of(data)
        if code is not None:
            self.refused += [code] if code else []
            return
        command, request = data[16], data[24:]
        # The end of a pipe wants no answer.
        if command not in (LOGIN, GROUPS, SHARE, TREE, RPC) or (command == RPC and request[4] & CLOSE):
            return
        handle = struct.unpack_from("<I", request)[0]
        right = self.truth(command, handle, request)
        wrong = self.instead.pop(command, None)
        for number, payload in wrong(handle, request, right) if wrong else ((command + 1, right),):
            self.send(number, payload)

    def __enter__(self):
        code = netlink.answer(self.link)
        check(code == 0, f"the module does not take another daemon: error {code}")
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        self.join(timeout=patient(10))
        self.link.close()
        if kind is None:
            check(self.problem is None, f"the daemon that lies failed: {self.problem!r}")
