# SPDX-License-Identifier: GPL-2.0
"""What tests of files need of a client that measuring does not: any status, breaks that come unasked, answers that come late.

Numbers and layouts are those of [MS-SMB2] 2.2 and [MS-FSCC] 2.3 to 2.5.
"""

import hashlib
import select
import struct

from . import machine
from .proc import Failure, check
from .rawsmb import AES, CLOSE, CMAC, CREATE, HEADER, READ, SIGNED, WRITE, Raw, _utf16

LOCK, IOCTL, QUERY_DIRECTORY, NOTIFY, QUERY_INFO, SET_INFO, OPLOCK_BREAK = 10, 11, 14, 15, 16, 17, 18

SUCCESS = 0
PENDING = 0x103
NOTIFY_ENUM_DIR = 0x10C
NO_MORE_FILES = 0x80000006
INVALID_EA_NAME = 0x80000013
INVALID_PARAMETER = 0xC000000D
ACCESS_DENIED = 0xC0000022
EA_TOO_LARGE = 0xC0000050
NAME_NOT_FOUND = 0xC0000034
NAME_COLLISION = 0xC0000035
SHARING_VIOLATION = 0xC0000043
NO_EAS_ON_FILE = 0xC0000052
LOCK_CONFLICT = 0xC0000054
DELETE_PENDING = 0xC0000056
INVALID_OWNER = 0xC000005A
DISK_FULL = 0xC000007F
TOO_MANY_OPENED_FILES = 0xC000011F
CANNOT_DELETE = 0xC0000121
NOT_SUPPORTED = 0xC00000BB

READ_DATA, WRITE_DATA, APPEND_DATA = 1, 2, 4
READ_ATTRIBUTES, WRITE_ATTRIBUTES = 0x80, 0x100
DELETE, READ_CONTROL, WRITE_DAC, WRITE_OWNER = 0x10000, 0x20000, 0x40000, 0x80000
READS = 0x00120089
WRITES = 0x00120116
OPEN, MAKE, OPEN_IF, OVERWRITE_IF = 1, 2, 3, 5
DIRECTORY, DELETE_ON_CLOSE = 1, 0x1000
MAXIMUM_ALLOWED = 0x02000000
AT_END = 0xFFFFFFFFFFFFFFFF
SHARE_ALL = 7
LEVEL_II, EXCLUSIVE, BATCH = 1, 8, 9

RESUME_KEY, COPYCHUNK_WRITE = 0x00140078, 0x001480F2
SET_SPARSE, SET_ZERO_DATA, LEVEL_TRIM, DUPLICATE_EXTENTS = 0x000900C4, 0x000980C8, 0x00098208, 0x00098344
NETWORK_INTERFACES = 0x001401FC


class Files(Raw):
    """One connection, logged on as a user and connected to a share. `breaks` collects (level, file id) of oplock breaks."""

    def __init__(self, share, user=machine.USER, password=machine.PASSWORD):
        super().__init__()
        self.breaks, self.early, self.waiting = [], {}, set()
        self.negotiate()
        self.log_on(user, password)
        self.connect_tree(share)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_socket()

    def send(self, command, body, sign=False, charge=1, preauth=None):
        """Sends one request; returns its message id and PDU."""
        message = self.message
        self.message += charge
        header = HEADER.pack(b"\xfeSMB", 64, charge, 0, command, 64, SIGNED if sign else 0, 0, message, 0xFEFF, self.tree, self.session, b"\0" * 16)
        pdu = self.signed(header + body) if sign else header + body
        self.socket.sendall(struct.pack(">I", len(pdu)) + pdu)
        return message, pdu

    def signed(self, pdu):
        mac = CMAC.new(self.signing_key, ciphermod=AES)
        mac.update(pdu)
        return pdu[:48] + mac.digest() + pdu[64:]

    def take(self):
        """Takes one message from the server and puts it where it belongs."""
        answer = bytes(self._receive(int.from_bytes(self._receive(4), "big")))
        command, message = struct.unpack_from("<H10xQ", answer, 12)
        status, flags = struct.unpack_from("<I4xI", answer, 8)
        if message == 0xFFFFFFFFFFFFFFFF:
            check(command == OPLOCK_BREAK, f"command {command} came unasked")
            self.breaks.append((answer[66], answer[72:88]))
        elif status == PENDING and flags & 2:
            self.waiting.add(message)
        else:
            self.early[message] = answer

    def answer(self, message):
        """The final answer to a request, whenever it came."""
        while message not in self.early:
            self.take()
        return self.early.pop(message)

    def call(self, command, body, expect=0, sign=False, charge=1, preauth=False):
        message, pdu = self.send(command, body, sign, charge)
        answer = self.answer(message)
        status = struct.unpack_from("<I", answer, 8)[0]
        if expect is not None and status != expect:
            raise Failure(f"command {command} was answered with status {status:#010x}, not {expect:#010x}")
        if preauth:
            self.preauth = hashlib.sha512(self.preauth + pdu).digest()
            self.answer_hash = hashlib.sha512(self.preauth + answer).digest()
        return answer

    def wait_for_break(self, seconds=20):
        """The next oplock break, which must come."""
        while not self.breaks:
            ready, _, _ = select.select([self.socket], [], [], seconds)
            check(ready, "no oplock break came")
            self.take()
        return self.breaks.pop(0)

    def open(self, name, access=READS, disposition=OPEN, options=0, share=SHARE_ALL, oplock=0, contexts=b"", expect=0, attributes=0x80):
        """Sends a CREATE; returns the file id (or the status, if it is not to succeed)."""
        path = _utf16(name)
        padding = b"\0" * (-(len(path)) % 8) if contexts else b""
        where = 120 + len(path) + len(padding) if contexts else 0
        fixed = struct.pack("<HBBIQQIIIIIHHII", 57, 0, oplock, 2, 0, 0, access, attributes, share, disposition, options, 120, len(path), where, len(contexts))
        answer = self.call(CREATE, fixed + ((path + padding + contexts) or b"\0"), expect)
        self.granted_oplock = answer[66] if expect == 0 else 0
        return answer[128:144] if expect == 0 else answer

    def shut(self, file_id):
        check(status(self.answer(self.send_shut(file_id))) == 0, "a file was not closed")

    def send_shut(self, file_id):
        """Sends a CLOSE; returns its message id."""
        return self.send(CLOSE, struct.pack("<HHI", 24, 0, 0) + file_id)[0]

    def set_info(self, file_id, kind, info_class, data, expect=0, additional=0):
        body = struct.pack("<HBBIHHI", 33, kind, info_class, len(data), 96, 0, additional) + file_id + data
        self.call(SET_INFO, body, expect)

    def query_info(self, file_id, kind, info_class, additional=0, expect=0, room=4096):
        body = struct.pack("<HBBIHHIII", 41, kind, info_class, room, 0, 0, 0, additional, 0) + file_id
        answer = self.call(QUERY_INFO, body, expect)
        offset, size = struct.unpack_from("<HI", answer, 66)
        return answer[offset : offset + size]

    def delete(self, file_id, on=True, expect=0):
        """FileDispositionInformation."""
        self.set_info(file_id, 1, 13, bytes([on]), expect)

    def delete_posix(self, file_id, expect=0):
        """FileDispositionInformationEx: delete, POSIX semantics."""
        self.set_info(file_id, 1, 64, struct.pack("<I", 3), expect)

    def rename(self, file_id, name, replace=False, expect=0):
        self._give_name(10, file_id, name, replace, expect)

    def link(self, file_id, name, replace=False, expect=0):
        self._give_name(11, file_id, name, replace, expect)

    def _give_name(self, info_class, file_id, name, replace, expect):
        name = _utf16(name)
        self.set_info(file_id, 1, info_class, struct.pack("<B7xQI", replace, 0, len(name)) + name, expect)

    def control(self, file_id, code, data, room=1024, expect=0):
        body = struct.pack("<HHI", 57, 0, code) + file_id + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, room, 1, 0) + data
        answer = self.call(IOCTL, body, expect)
        if expect:
            return b""
        offset, size = struct.unpack_from("<II", answer, 96)
        return answer[offset : offset + size]

    def lock(self, file_id, offset, length, flags):
        """Takes or gives back one byte-range lock; flags: 1 shared, 2 exclusive, 4 unlock, 16 do not wait."""
        self.call(LOCK, struct.pack("<HHI", 48, 1, 0) + file_id + struct.pack("<QQII", offset, length, flags, 0))

    def ask_eas(self, file_id, names, expect=0):
        """The names of those of the extended attributes `names` that a file has (FileFullEaInformation)."""
        data = ea_list(names, lambda name: struct.pack("<B", len(name)) + name + b"\0")
        body = struct.pack("<HBBIHHIII", 41, 1, 15, 65536, 104, 0, len(data), 0, 0) + file_id + data
        answer = self.call(QUERY_INFO, body, expect, charge=max(1, -(-len(data) // 65536)))
        if expect:
            return []
        found, at = [], 72
        while True:
            step, size = struct.unpack_from("<IxB", answer, at)
            found.append(answer[at + 8 : at + 8 + size])
            if not step:
                return found
            at += step

    def set_eas(self, file_id, values, expect=0):
        """Sets extended attributes, [(name, value)]."""
        data = ea_list(values, lambda ea: struct.pack("<BBH", 0, len(ea[0]), len(ea[1])) + ea[0] + b"\0" + ea[1])
        body = struct.pack("<HBBIHHI", 33, 1, 15, len(data), 96, 0, 0) + file_id + data
        self.call(SET_INFO, body, expect, charge=max(1, -(-len(data) // 65536)))

    def put(self, file_id, offset, data, expect=0):
        self.call(WRITE, write_body(file_id, offset, data), expect)

    def send_put(self, file_id, offset, data):
        """Sends a WRITE; returns its message id."""
        return self.send(WRITE, write_body(file_id, offset, data), charge=max(1, -(-len(data) // 65536)))[0]

    def get(self, file_id, offset, length, expect=0):
        body = struct.pack("<HBBIQ16sIIIHH", 49, 0, 0, length, offset, file_id, 0, 0, 0, 0, 0) + b"\0"
        answer = self.call(READ, body, expect)
        start, size = struct.unpack_from("<BxI", answer, 66)
        return answer[start : start + size]

    def listing(self, file_id, pattern="*"):
        """The names in a directory, sorted (FileDirectoryInformation)."""
        names, text = [], _utf16(pattern)
        while True:
            body = struct.pack("<HBBI16sHHI", 33, 1, 0, 0, file_id, 96, len(text), 4096) + text
            answer = self.call(QUERY_DIRECTORY, body, None)
            status = struct.unpack_from("<I", answer, 8)[0]
            if status == NO_MORE_FILES:
                return sorted(names)
            check(status == 0, f"a QUERY_DIRECTORY was answered with {status:#010x}")
            at = struct.unpack_from("<H", answer, 66)[0]
            while True:
                step, length = struct.unpack_from("<I56xI", answer, at)
                names.append(answer[at + 64 : at + 64 + length].decode("utf-16-le"))
                if not step:
                    break
                at += step

    def watch(self, file_id, filters):
        """Sends a CHANGE_NOTIFY; returns its message id once the server watches."""
        message, _ = self.send(NOTIFY, struct.pack("<HHI", 32, 0, 4096) + file_id + struct.pack("<II", filters, 0))
        while message not in self.waiting and message not in self.early:
            self.take()
        return message

    def changes(self, message):
        """What a CHANGE_NOTIFY was answered: [(action, name)]."""
        answer = self.answer(message)
        status = struct.unpack_from("<I", answer, 8)[0]
        check(status == 0, f"a CHANGE_NOTIFY was answered with {status:#010x}")
        offset, size = struct.unpack_from("<HI", answer, 66)
        data, found, at = answer[offset : offset + size], [], 0
        while True:
            step, action, length = struct.unpack_from("<III", data, at)
            found.append((action, data[at + 12 : at + 12 + length].decode("utf-16-le")))
            if not step:
                return found
            at += step


def write_body(file_id, offset, data):
    return struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, 0) + data


def status(answer):
    return struct.unpack_from("<I", answer, 8)[0]


def ea_list(items, entry):
    """The entries made of `items`, each after the distance to the next."""
    entries = [entry(item) for item in items]
    sizes = [len(data) + 4 + -len(data) % 4 for data in entries]
    padded = [struct.pack("<I", size) + data + b"\0" * (size - 4 - len(data)) for size, data in zip(sizes, entries)]
    return b"".join(padded[:-1]) + struct.pack("<I", 0) + entries[-1]


def context(name, data, last=True):
    """One create context."""
    head = struct.pack("<IHHHHI", 0, 16, len(name), 0, 24, len(data)) + name + b"\0" * (8 - len(name))
    entry = head + data
    if last:
        return entry
    entry += b"\0" * (-len(entry) % 8)
    return struct.pack("<I", len(entry)) + entry[4:]
