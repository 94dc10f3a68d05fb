# SPDX-License-Identifier: GPL-2.0
"""The work during which allocations fail: each piece is complete in itself, gets a client and a number, and either succeeds as a whole,
or is refused. [MS-SMB2] 2.2, [MS-FSCC] 2.3 and 2.4, [MS-SRVS] 3.1.4.8."""

import contextlib
import os
import struct
import uuid

from lib import content, rawconn
from lib.proc import Failure
from lib.rawfiles import COPYCHUNK_WRITE, IOCTL, LOCK, NOTIFY, QUERY_DIRECTORY, QUERY_INFO, RESUME_KEY, SET_INFO
from lib.rawsmb import CLOSE, CREATE, ECHO, READ, TREE_DISCONNECT

ROOT = "/srv/smb/share"
FLUSH, CANCEL = 7, 12
NOTIFY_ENUM_DIR, CANCELLED = 0x10C, 0xC0000120
ASYNC, RELATED = 2, 4
ANY_FILE = b"\xff" * 16
NETWORK_INTERFACES, TRANSCEIVE = 0x001401FC, 0x0011C017
READ_WRITE, ALL = 0x0012019F, 0x001F01FF


class Wrong(Failure):
    """What was answered with success is not so: no lack of memory excuses that."""


def right(condition, message):
    if not condition:
        raise Wrong(message)


def same(got, want, what):
    how = content.difference(bytes(got), want)
    right(how is None, f"{what}: {how}")


def pattern(number, length):
    """Bytes that are others for each number, and in each place of a page."""
    row = bytes((number + at) & 0xFF for at in range(251))
    return (row * (length // len(row) + 1))[:length]


def connect(one, _number):
    """From the first byte to LOGOFF."""
    one.drop()
    one.session().log_off()
    one.drop()


def create(one, number):
    raw = one.session()
    raw.close(raw.create(f"made-{number}", access=0x00130116, disposition=3))
    right(os.path.exists(f"{ROOT}/made-{number}"), "the file that was reported as made is not there")
    os.unlink(f"{ROOT}/made-{number}")


def with_oplock_and_contexts(one, number):
    """CREATE with a batch oplock and the contexts MxAc and QFid."""
    raw = one.session()
    contexts = struct.pack("<IHHHHI4s4x", 24, 16, 4, 0, 0, 0, b"MxAc") + struct.pack("<IHHHHI4s4x", 0, 16, 4, 0, 0, 0, b"QFid")
    body = rawconn.create_body(f"contexts-{number}", access=0x00130116, oplock=9, contexts=contexts)
    raw.close(bytes(raw.call(CREATE, body)[128:144]))
    os.unlink(f"{ROOT}/contexts-{number}")


@contextlib.contextmanager
def opened(one, name="data", access=READ_WRITE, disposition=3, options=0):
    raw = one.session()
    file_id = raw.create(name, access, disposition, options)
    yield raw, file_id
    raw.close(file_id)


def compound(one, _number):
    """CREATE, QUERY_INFO and CLOSE in one frame, the second and third about the file of the first."""
    raw = one.session()
    query = struct.pack("<HBBIHHIII16s", 41, 1, 5, 4096, 104, 0, 0, 0, 0, ANY_FILE) + b"\0"
    requests = ((CREATE, rawconn.create_body("data")), (QUERY_INFO, query), (CLOSE, struct.pack("<HHI", 24, 0, 0) + ANY_FILE))
    frame, answers = b"", {}
    for index, (command, body) in enumerate(requests):
        _, pdu = raw.pdu(command, body, sign=False, flags=RELATED if index else 0)
        if index + 1 < len(requests):
            pdu += b"\0" * (-len(pdu) % 8)
            pdu = pdu[:20] + struct.pack("<I", len(pdu)) + pdu[24:]
        frame += pdu
    raw.send_frame(frame)
    while len(answers) < len(requests):
        frame = raw.frame()
        while frame:
            answer = rawconn.Answer(frame)
            if not answer.is_pending:
                answers[answer.command] = answer
            step = struct.unpack_from("<I", frame, 20)[0]
            frame = frame[step:] if step else b""
    for command, _ in requests:
        succeeded(answers.get(command), f"command {command} of a compound")
    size = struct.unpack_from("<Q", answers[QUERY_INFO].pdu, struct.unpack_from("<H", answers[QUERY_INFO].pdu, 66)[0] + 8)[0]
    right(size == os.path.getsize(f"{ROOT}/data"), f"QUERY_INFO succeeded and says {size} bytes")


def succeeded(answer, what):
    if answer is None or answer.status != 0:
        raise Failure(f"{what} was answered with {answer.status:#x}" if answer else f"{what} was not answered")


def write(one, number):
    """64 KiB that the file system must have afterwards."""
    data = pattern(number, 65536)
    with opened(one) as (raw, file_id):
        raw.write(file_id, 0, data)
        same(content.read(f"{ROOT}/data")[:65536], data, "WRITE succeeded and the file holds something else")


def read_part(raw, file_id, offset, length, sign=False):
    """The bytes of one READ."""
    body = rawconn.read_body(file_id, offset, length)
    answer = raw.call(READ, body, sign=sign, charge=(length + 65535) // 65536)
    begin, size = struct.unpack_from("<BxI", answer, 66)
    return bytes(answer[begin : begin + size])


def read(one, number):
    """What the file system has is what READ gives: copied, in the page cache's pages, more of those than one splice takes, and in pages of
    its own, which are signed."""
    data = pattern(number, 120000)
    fill("data", data)
    with opened(one) as (raw, file_id):
        for length, sign in ((100, False), (65536, False), (100000, False), (100000, True)):
            got = read_part(raw, file_id, 1, length, sign)
            same(got, data[1 : 1 + length], f"READ of {length} bytes succeeded and gave something else")


def fill(name, data):
    with open(f"{ROOT}/{name}", "wb") as file:
        file.write(data)


def sealed(one, number):
    """Writing and reading in an encrypted session."""
    data = pattern(number, 120000)
    with opened(one) as (raw, file_id):
        raw.write(file_id, 0, data)
        same(content.read(f"{ROOT}/data")[:120000], data, "an encrypted WRITE succeeded and the file holds something else")
        for length in (100, 100000):
            got = read_part(raw, file_id, 1, length)
            same(got, data[1 : 1 + length], f"an encrypted READ of {length} bytes succeeded and gave something else")


def directory(one, _number):
    with opened(one, "", access=0x00120089, disposition=1, options=1) as (raw, file_id):
        every = "*".encode("utf-16-le")
        seen, flags = b"", 1
        while True:
            try:
                body = struct.pack("<HBBI16sHHI", 33, 0x25, flags, 0, file_id, 96, len(every), 65536) + every
                seen += bytes(raw.call(QUERY_DIRECTORY, body))
            except Failure as end:
                if "0x80000006" in str(end):
                    break
                raise
            # Not from the beginning again: what could not be told in one answer comes with the next.
            flags = 0
        for name in ("data", "beside"):
            right(name.encode("utf-16-le") in seen, f"the listing lacks a file: {name}")


def first_word(raw, message):
    """The interim answer to a request that is to wait, or its final one if it does not wait, or None: without memory nobody is told of a
    wait. What is asked behind it is answered when it has begun."""
    early = []
    succeeded(raw.answer_to(raw.post(ECHO, struct.pack("<HH", 4, 0)), early), "ECHO")
    return next((answer for answer in early if answer.message == message), None)


def last_word(raw, message, early):
    """The final answer to a request, which may be among those that came `early`."""
    return next((answer for answer in early if answer.message == message and not answer.is_pending), None) or raw.answer_to(message)


def notify(one, number):
    """A watch that is registered, and then told of a change; or that there was something to tell."""
    name = f"changed-{number}"
    with opened(one, "", access=0x00100081, disposition=1, options=1) as (raw, folder):
        message = raw.post(NOTIFY, struct.pack("<HHI16sII", 32, 0, 4096, folder, 3, 0))
        first = first_word(raw, message)
        if first and not first.is_pending:
            raise Failure(f"CHANGE_NOTIFY was answered with {first.status:#x}")
        early = []
        body = rawconn.create_body(name, access=0x00130116, options=0x1000)
        made = raw.answer_to(raw.post(CREATE, body), early)
        succeeded(made, "CREATE in a watched directory")
        body = struct.pack("<HHI", 24, 0, 0) + rawconn.file_id_of(made)
        succeeded(raw.answer_to(raw.post(CLOSE, body), early), "CLOSE in a watched directory")
        told = last_word(raw, message, early)
        if told.status != NOTIFY_ENUM_DIR:
            succeeded(told, "CHANGE_NOTIFY")
            right(name.encode("utf-16-le") in told.pdu, "CHANGE_NOTIFY succeeded and lacks the change")


def information(one, _number):
    """Of the file (all, streams), of the file system, and its security descriptor."""
    with opened(one, access=ALL) as (raw, file_id):
        for kind, level, additional in ((1, 18, 0), (1, 22, 0), (2, 5, 0), (2, 7, 0), (3, 0, 7)):
            raw.call(QUERY_INFO, struct.pack("<HBBIHHIII16s", 41, kind, level, 4096, 104, 0, 0, additional, 0, file_id) + b"\0")


def setting(one, number):
    """Times, the end of file, a rename and back."""
    with opened(one, access=ALL) as (raw, file_id):

        def set_info(level, data):
            raw.call(SET_INFO, struct.pack("<HBBIHHI16s", 33, 1, level, len(data), 96, 0, 0, file_id) + data)

        set_info(4, struct.pack("<QQQQII", 0, 0, 0, 0, 0x20, 0))
        set_info(20, struct.pack("<Q", 80000 + number))
        right(os.path.getsize(f"{ROOT}/data") == 80000 + number, "the size was set, and is another")
        for name in ("renamed", "data"):
            text = name.encode("utf-16-le")
            set_info(10, struct.pack("<B7xQI", 1, 0, len(text)) + text)
            right(os.path.exists(f"{ROOT}/{name}"), "the file was renamed, and is not there")


def lock_body(file_id, flags):
    return struct.pack("<HHI16sQQII", 48, 1, 0, file_id, 10, 20, flags, 0)


def locks(one, _number):
    with opened(one) as (raw, file_id):
        for flags in (0x12, 4):
            raw.call(LOCK, lock_body(file_id, flags))


def waiting_locks(one, _number):
    """A lock that waits and is cancelled, and one that waits and is granted."""
    with opened(one) as (raw, holder), opened(one) as (_, waiter):
        raw.call(LOCK, lock_body(holder, 0x12))

        def begin():
            message = raw.post(LOCK, lock_body(waiter, 2))
            first = first_word(raw, message)
            right(first is None or first.status != 0, "LOCK succeeded and another has the range")
            if first and not first.is_pending:
                raise Failure(f"LOCK was answered with {first.status:#x}")
            return message, first

        message, first = begin()
        _, cancel = raw.pdu(CANCEL, struct.pack("<HH", 4, 0), sign=False, flags=ASYNC if first else 0, message=message)
        raw.send_frame(cancel[:32] + first.pdu[32:40] + cancel[40:] if first else cancel)
        answer = raw.answer_to(message)
        right(answer.status != 0, "LOCK was cancelled, succeeded and another has the range")
        if answer.status != CANCELLED:
            raise Failure(f"a LOCK that was cancelled was answered with {answer.status:#x}")
        message, _ = begin()
        early = []
        succeeded(raw.answer_to(raw.post(LOCK, lock_body(holder, 4)), early), "UNLOCK")
        succeeded(last_word(raw, message, early), "a LOCK whose range became free")
        raw.call(LOCK, lock_body(waiter, 4))


def extended(one, _number):
    """A named stream and an extended attribute."""
    with opened(one, "data:stream") as (raw, file_id):
        raw.write(file_id, 0, b"in a stream")
    with opened(one, access=ALL) as (raw, file_id):
        entry = struct.pack("<IBBH", 0, 0, 4, 5) + b"NAME\0value"
        raw.call(SET_INFO, struct.pack("<HBBIHHI16s", 33, 1, 15, len(entry), 96, 0, 0, file_id) + entry)


def ioctl(raw, file_id, code, data=b""):
    """What an IOCTL answers."""
    body = struct.pack("<HHI16sIIIIIIII", 57, 0, code, file_id, 120, len(data), 0, 120, 0, 4096, 1, 0) + (data or b"\0")
    answer = raw.call(IOCTL, body)
    begin, size = struct.unpack_from("<II", answer, 96)
    return bytes(answer[begin : begin + size])


def control(one, _number):
    """FSCTL_QUERY_NETWORK_INTERFACE_INFO, and FLUSH."""
    raw = one.session()
    right(ioctl(raw, ANY_FILE, NETWORK_INTERFACES), "the list of interfaces succeeded and is empty")
    with opened(one) as (raw, file_id):
        raw.call(FLUSH, struct.pack("<HHI", 24, 0, 0) + file_id)


def copy(one, number):
    """FSCTL_SRV_COPYCHUNK_WRITE: two chunks of one file into another."""
    data, half = pattern(number, 120000), 60000
    fill("data", data)
    with opened(one) as (raw, source), opened(one, "copied", disposition=5) as (_, target):
        key = ioctl(raw, source, RESUME_KEY)[:24]
        chunks = b"".join(struct.pack("<QQII", at, at, half, 0) for at in (0, half))
        done = struct.unpack("<III", ioctl(raw, target, COPYCHUNK_WRITE, key + struct.pack("<II", 2, 0) + chunks))
        right(done == (2, 0, len(data)), f"the copy succeeded and tells {done}")
        same(content.read(f"{ROOT}/copied"), data, "the copy succeeded and differs")
    os.unlink(f"{ROOT}/copied")


def rpc(kind, body):
    """A PDU of DCE/RPC in one fragment."""
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body), 0, 1) + body


def syntax(name, version):
    return uuid.UUID(name).bytes_le + struct.pack("<I", version)


def pipe(one, _number):
    """A pipe that the daemon serves: `srvsvc` is bound with WRITE and READ, and lists the shares in a transaction."""
    raw = one.session()
    share = raw.tree
    raw.connect_tree("IPC$")
    file_id = raw.create("srvsvc", access=READ_WRITE)
    context = syntax("4b324fc8-1670-01d3-1278-5a47bf6ee188", 3) + syntax("8a885d04-1ceb-11c9-9fe8-08002b104860", 2)
    raw.write(file_id, 0, rpc(11, struct.pack("<HHIIHBB", 4280, 4280, 0, 1, 0, 1, 0) + context))
    right(read_part(raw, file_id, 0, 1024)[2:3] == b"\x0c", "READ succeeded and gave something else than the answer to a bind")
    # NetrShareEnum, level 1, everything at once.
    stub = struct.pack("<IIIIIIII", 0, 1, 1, 0x20004, 0, 0, 0xFFFFFFFF, 0)
    listed = ioctl(raw, file_id, TRANSCEIVE, rpc(0, struct.pack("<IHH", len(stub), 0, 15) + stub))
    right("share".encode("utf-16-le") in listed, "the transaction succeeded and lacks the share")
    raw.close(file_id)
    raw.call(TREE_DISCONNECT, struct.pack("<HH", 4, 0))
    raw.tree = share


WORK = {
    "connect": connect, "create": create, "create-contexts": with_oplock_and_contexts, "compound": compound, "write": write,
    "read": read, "sealed": sealed, "directory": directory, "notify": notify, "query-info": information, "set-info": setting, "lock": locks,
    "lock-waits": waiting_locks, "extended": extended, "ioctl": control, "copy": copy, "pipe": pipe,
}
# Those that take pages, and not only by slabs that grow now and then.
TAKE_PAGES = ("write", "read", "sealed", "directory")
