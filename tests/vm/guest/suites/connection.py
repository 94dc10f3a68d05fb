# SPDX-License-Identifier: GPL-2.0
"""What one connection can make the server hold, and the order of what is sent on it, by a raw client."""

import glob
import os
import struct
import time

from lib import machine, procfs, rawconn, rawfiles
from lib.proc import Skip, check, run, wait_for
from lib.rawsmb import CLOSE, CREATE, ECHO, READ
from lib.registry import Suite

suite = Suite("connection", memory=1536, cost=60)
ROOT = "/srv/smb/share"
MIB = 1 << 20
NOT_OURS = {kind: "a limit of this project's module" for kind in ("c", "ours-tools", "samba")}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=256m").mount(ROOT)
        os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}, "public": {"path": ROOT, "guest ok": "yes"}}, **{"map to guest": "bad user"})


def login(**how):
    return rawconn.session("share", machine.USER, machine.PASSWORD, **how)


def available():
    """MiB of memory that programs could have."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        values = dict(line.split(":") for line in file)
    return int(values["MemAvailable"].split()[0]) >> 10


def workers():
    """Kernel workers that are inside of the module, by the functions they are in."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stack"):
        try:
            with open(path.replace("/stack", "/comm"), encoding="utf-8") as file:
                if not file.read().startswith("kworker"):
                    continue
            with open(path, encoding="utf-8") as file:
                stack = file.read()
        except OSError:
            continue
        if "ksmbd" in stack:
            found.append(stack)
    return found


def pattern(index):
    return bytes([index % 251]) * MIB


@suite.test("unread-answers", lacks=NOT_OURS, timeout=240)
def unread_answers(_server):
    """A client that asks for 512 MiB and reads nothing holds a bounded share of memory and one worker; when it reads after all,
    every answer is right."""
    with open(f"{ROOT}/large", "wb") as file:
        for index in range(64):
            file.write(pattern(index))
    raw = login(receive_buffer=1 << 16)
    count = 512
    check(rawconn.more_credits(raw, 8000) >= count * 16 - 512, "the server does not grant the credits for the test")
    file_id = rawconn.file_id_of(raw.ask(CREATE, rawconn.create_body("large", access=0x00120089)))
    before = available()
    # Signed, so that the answers are copies of the file and not its page cache.
    asked = [raw.post(READ, rawconn.read_body(file_id, index % 64 * MIB, MIB), charge=16, credits=16) for index in range(count)]
    wait_for("a worker to be stuck in sending", workers, timeout=30)
    time.sleep(3)
    held, stuck = before - available(), workers()
    check(held < 160, f"{held} MiB are held for a client that does not read")
    check(len(stuck) <= 2, f"{len(stuck)} workers are held by a client that does not read:\n" + "\n\n".join(stuck[:3]))
    left = dict(zip(asked, range(count)))
    while left:
        answer = raw.take()
        if answer.is_pending:
            continue
        index = left.pop(answer.message)
        check(answer.status == 0, f"READ {index} was answered with {answer.status:#x}")
        check(answer.pdu[80:] == pattern(index % 64), f"READ {index} gave other bytes")
    raw.close_socket()


@suite.test("others-are-served", lacks=NOT_OURS, timeout=120)
def others_are_served(_server):
    """While a client does not read, another is served, and the first one's end sets everything free."""
    with open(f"{ROOT}/large", "wb") as file:
        file.write(b"x" * (32 * MIB))
    raw = login(receive_buffer=1 << 16)
    rawconn.more_credits(raw, 4000)
    file_id = rawconn.file_id_of(raw.ask(CREATE, rawconn.create_body("large", access=0x00120089)))
    for index in range(200):
        raw.post(READ, rawconn.read_body(file_id, index % 32 * MIB, MIB), charge=16, credits=16)
    other = login()
    for _ in range(50):
        check(other.ask(ECHO, struct.pack("<HH", 4, 0)).status == 0, "ECHO failed")
    other.close_socket()
    raw.close_socket()
    wait_for("the workers to be free again", lambda: not workers(), timeout=60)


@suite.test("never-reads", lacks=NOT_OURS, timeout=180)
def never_reads(_server):
    """A client that takes nothing for long loses its connection."""
    raw = login(receive_buffer=1 << 16)
    rawconn.more_credits(raw, 4000)
    with open(f"{ROOT}/large", "wb") as file:
        file.write(b"x" * (32 * MIB))
    file_id = rawconn.file_id_of(raw.ask(CREATE, rawconn.create_body("large", access=0x00120089)))
    for index in range(64):
        raw.post(READ, rawconn.read_body(file_id, index % 32 * MIB, MIB), charge=16, credits=16)
    wait_for("the server to give the client up", lambda: not connection_threads(), timeout=120)
    raw.close_socket()


def connection_threads():
    """Threads of connections."""
    return procfs.kernel_threads("ksmbd:")


BATCH = 9
LOCK = 10
EXCLUSIVE_NOW, UNLOCK = 0x12, 0x04
NO_RESOURCES = 0xC000009A


def acknowledge(raw, notice):
    """Takes the break of an oplock; gives the acknowledgment's message id."""
    file_id = notice.pdu[72:88]
    return raw.post(rawconn.OPLOCK_BREAK, struct.pack("<HBBI", 24, notice.pdu[66], 0, 0) + file_id)


@suite.test("break-after-create", timeout=180)
def break_after_create(_server):
    """A client learns of the break of an oplock only after it learned that it has it."""
    first, second = login(), login()
    broken = 0
    # The files are there already: this is not about who makes them.
    for index in range(300):
        machine.write(f"{ROOT}/race{index}", "")
        os.chmod(f"{ROOT}/race{index}", 0o666)
    for index in range(300):
        name = f"race{index}"
        one = first.post(CREATE, rawconn.create_body(name, oplock=BATCH))
        two = second.post(CREATE, rawconn.create_body(name))
        before = []
        answer = first.answer_to(one, before)
        early = [other for other in before if other.command == rawconn.OPLOCK_BREAK]
        check(not early, f"{name}: told of a break before the oplock was granted")
        file_id = rawconn.file_id_of(answer)
        if answer.pdu[66] == BATCH:
            notice = first.take()
            check(notice.command == rawconn.OPLOCK_BREAK and notice.message == rawconn.UNSOLICITED, "a break was expected")
            check(notice.pdu[72:88] == file_id, "the break is of another file")
            acknowledged = first.answer_to(acknowledge(first, notice))
            check(acknowledged.status == 0, f"the acknowledgment was answered with {acknowledged.status:#x}")
            broken += 1
        rawconn.file_id_of(second.answer_to(two))
    check(broken > 50, f"only {broken} of 300 oplocks were granted first: the test shows nothing")
    first.close_socket()
    second.close_socket()


LEASE, LEASE_READ_HANDLE = 0xFF, 3
RELATED = 4
ANY_FILE = b"\xff" * 16


def compound(raw, requests):
    """Sends (command, body) pairs as one related compound; gives their message ids."""
    frame, messages = b"", []
    for index, (command, body) in enumerate(requests):
        message, pdu = raw.pdu(command, body, sign=False, flags=RELATED if index else 0)
        if index + 1 < len(requests):
            pdu += b"\0" * (-len(pdu) % 8)
            pdu = pdu[:20] + struct.pack("<I", len(pdu)) + pdu[24:]
        frame += pdu
        messages.append(message)
    raw.send_frame(frame)
    return messages


@suite.test("compound-waits-whole", timeout=120)
def compound_waits_whole(_server):
    """A rename in the middle of a compound that waits for a lease break keeps all answers of the compound back, and says nothing
    meanwhile: [MS-SMB2] 3.3.4.2 lets only opens and the last request of a compound go asynchronous."""
    holder, other = login(), login()
    machine.write(f"{ROOT}/leased", "")
    os.chmod(f"{ROOT}/leased", 0o666)
    lease = rawfiles.context(b"RqLs", rawconn.guid() + struct.pack("<IIQ", LEASE_READ_HANDLE, 0, 0))
    held = rawconn.file_id_of(holder.ask(CREATE, rawconn.create_body("leased", access=0x00120089, oplock=LEASE, contexts=lease)))
    name = "renamed".encode("utf-16-le")
    rename = struct.pack("<B7xQI", 1, 0, len(name)) + name
    messages = compound(
        other,
        [
            (CREATE, rawconn.create_body("leased", access=0x00130089)),
            (rawfiles.SET_INFO, struct.pack("<HBBIHHI", 33, 1, 10, len(rename), 96, 0, 0) + ANY_FILE + rename),
            (CLOSE, struct.pack("<HHI", 24, 0, 0) + ANY_FILE),
        ],
    )
    notice = holder.take()
    check(notice.command == rawconn.OPLOCK_BREAK, f"command {notice.command} came instead of the break")
    early = []
    check(other.answer_to(other.post(ECHO, struct.pack("<HH", 4, 0)), early).status == 0, "ECHO failed")
    check(not early, f"{len(early)} answers came before the lease was given up")
    key = notice.pdu[72:88]
    given_up = holder.ask(rawconn.OPLOCK_BREAK, struct.pack("<HHI", 36, 0, 0) + key + struct.pack("<IQ", 1, 0))
    check(given_up.status == 0, f"the acknowledgment was answered with {given_up.status:#x}")
    frame = other.take().pdu
    for message in messages:
        answer = rawconn.Answer(frame)
        check(answer.message == message and answer.status == 0, f"request {message}: the answer to {answer.message} is {answer.status:#x}")
        step = struct.unpack_from("<I", frame, 20)[0]
        frame = frame[step:]
    check(os.path.exists(f"{ROOT}/renamed"), "nothing was renamed")
    check(holder.ask(CLOSE, struct.pack("<HHI", 24, 0, 0) + held).status == 0, "CLOSE failed")
    holder.close_socket()
    other.close_socket()


@suite.test("breaks-to-a-stuck-client", lacks=NOT_OURS, timeout=180)
def breaks_to_a_stuck_client(_server):
    """Breaks for a client that does not read hold no workers, and come in their order when it reads again."""
    count = 60
    with open(f"{ROOT}/large", "wb") as file:
        file.write(b"x" * (32 * MIB))
    stuck, other = login(receive_buffer=1 << 16), login()
    rawconn.more_credits(stuck, 4000)
    rawconn.more_credits(other, 1000)
    held = []
    for index in range(count):
        answer = stuck.ask(CREATE, rawconn.create_body(f"held{index}", oplock=BATCH))
        check(answer.pdu[66] == BATCH, "no oplock was granted")
        held.append(rawconn.file_id_of(answer))
    file_id = rawconn.file_id_of(stuck.ask(CREATE, rawconn.create_body("large", access=0x00120089)))
    reads = {stuck.post(READ, rawconn.read_body(file_id, index % 32 * MIB, MIB), charge=16, credits=16) for index in range(100)}
    wait_for("a worker to be stuck in sending", workers, timeout=30)
    wanted = [other.post(CREATE, rawconn.create_body(f"held{index}"), credits=1) for index in range(count)]
    time.sleep(2)
    found = workers()
    check(len(found) <= 2, f"{len(found)} workers are held:\n" + "\n\n".join(found[:3]))
    notices = []
    while reads or len(notices) < count:
        answer = stuck.take()
        if answer.command == rawconn.OPLOCK_BREAK:
            notices.append(answer.pdu[72:88])
            stuck.post(rawconn.OPLOCK_BREAK, struct.pack("<HBBI", 24, 0, 0, 0) + notices[-1])
        elif answer.command == READ and not answer.is_pending:
            reads.remove(answer.message)
    check(sorted(notices) == sorted(held), "not every oplock was broken once")
    while wanted:
        answer = other.take()
        if not answer.is_pending:
            wanted.remove(answer.message)
            rawconn.file_id_of(answer)
    stuck.close_socket()
    other.close_socket()


@suite.test("trickle", lacks=NOT_OURS, timeout=120)
def trickle(_server):
    """A client that announces a frame and sends it byte by byte loses its connection in time."""
    raw = login()
    raw.socket.sendall(struct.pack(">I", 70_000) + b"\xfeSMB")
    start = time.monotonic()
    try:
        while time.monotonic() < start + 60:
            time.sleep(1)
            raw.socket.sendall(b"x")
    except ConnectionError:
        return
    check(False, "the server waits for the frame still")


def lock_body(file_id, ranges, sequence=0):
    """LOCK; `ranges` are (offset, length, flags)."""
    body = struct.pack("<HHI", 48, len(ranges), sequence) + file_id
    return body + b"".join(struct.pack("<QQII", offset, length, flags, 0) for offset, length, flags in ranges)


@suite.test("many-locks", lacks=NOT_OURS, timeout=120)
def many_locks(_server):
    """As many ranges as a message may name are refused at once, and what one may have is bounded and given back."""
    raw = login()
    rawconn.more_credits(raw, 1000)
    file_id = rawconn.file_id_of(raw.ask(CREATE, rawconn.create_body("locked")))
    much = [(index * 2, 1, EXCLUSIVE_NOW) for index in range(60_000)]
    answer = raw.ask(LOCK, lock_body(file_id, much), charge=24)
    check(answer.status == NO_RESOURCES, f"60,000 ranges were answered with {answer.status:#x}")
    taken, status = 0, 0
    while status == 0 and taken < 100_000:
        ranges = [((taken + index) * 2, 1, EXCLUSIVE_NOW) for index in range(1024)]
        status = raw.ask(LOCK, lock_body(file_id, ranges)).status
        taken += 1024 if status == 0 else 0
    check(status == NO_RESOURCES and taken == 16384, f"{taken} locks, then {status:#x}")
    some = [(index * 2, 1, UNLOCK) for index in range(1024)]
    check(raw.ask(LOCK, lock_body(file_id, some)).status == 0, "unlocking many failed")
    again = [(index * 2, 1, EXCLUSIVE_NOW) for index in range(1024)]
    check(raw.ask(LOCK, lock_body(file_id, again)).status == 0, "what was unlocked cannot be locked again")
    check(raw.ask(CLOSE, struct.pack("<HHI", 24, 0, 0) + file_id).status == 0, "CLOSE failed")
    file_id = rawconn.file_id_of(raw.ask(CREATE, rawconn.create_body("locked")))
    check(raw.ask(LOCK, lock_body(file_id, again)).status == 0, "the close left locks")
    raw.close_socket()


@suite.test("interfaces-are-asked-seldom", lacks=NOT_OURS)
def interfaces_seldom(_server):
    """However often clients ask for the network interfaces, the drivers are asked once a second."""
    asked = 300
    probe = "/sys/kernel/tracing/kprobe_events"
    if not os.path.exists(probe):
        run("mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing", ok=False)
    if not os.path.exists(probe):
        raise Skip("the kernel has no probes to count calls with")
    machine.write(probe, "p:ksmbd_speed __ethtool_get_link_ksettings")
    switch = "/sys/kernel/tracing/events/kprobes/ksmbd_speed/enable"
    machine.write(switch, "1")
    try:
        with rawfiles.Files("share") as client:
            before = time.monotonic()
            for _ in range(asked):
                answer = client.control(b"\xff" * 16, rawfiles.NETWORK_INTERFACES, b"", 65536)
                check(len(answer) >= 152, f"{len(answer)} bytes of interfaces")
            seconds = time.monotonic() - before
        with open("/sys/kernel/tracing/kprobe_profile", encoding="utf-8") as file:
            hits = next(int(line.split()[1]) for line in file if line.split()[0] == "ksmbd_speed")
    finally:
        machine.write(switch, "0")
        machine.write(probe, "")
    devices = len(os.listdir("/sys/class/net"))
    check(0 < hits <= devices * (seconds + 2), f"{devices} drivers were asked {hits} times for {asked} requests in {seconds:.1f} s")
