# SPDX-License-Identifier: GPL-2.0
"""Data and metadata through cifs.ko on an ext4 share: large files, many writers, many entries."""

import hashlib
import os
import struct
import subprocess
import threading
import time

from lib import client, machine, rawconn
from lib.proc import check, run, sh, wait_for
from lib.registry import Suite

suite = Suite("io", disk="4G", cost=250, memory=2048)
ROOT = "/srv/smb/share"
MIB = 1 << 20


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("ext4").mount(ROOT)
    sh(f"rm -rf {ROOT}/*")
    os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}})


def forget():
    """Empties the page cache, so that what is read next comes from the server."""
    machine.write("/proc/sys/vm/drop_caches", "3")


@suite.test("rename")
def rename(_server):
    with client.mounted("share") as where:
        machine.write(f"{where}/a", "1")
        os.rename(f"{where}/a", f"{where}/b")
        check(sorted(os.listdir(ROOT)) == ["b"], f"after a rename: {os.listdir(ROOT)}")
        machine.write(f"{where}/c", "22")
        os.rename(f"{where}/b", f"{where}/c")
        check(os.path.getsize(f"{ROOT}/c") == 1, "a rename onto a file must replace it")
        os.mkdir(f"{where}/folder")
        os.rename(f"{where}/c", f"{where}/folder/d")
        os.rename(f"{where}/folder", f"{where}/moved")
        check(os.listdir(f"{ROOT}/moved") == ["d"], "the folder's content did not move with it")
        with open(f"{where}/moved/d", "r+", encoding="utf-8") as file:
            os.rename(f"{where}/moved/d", f"{where}/moved/e")
            file.write("9")
        with open(f"{ROOT}/moved/e", encoding="utf-8") as file:
            check(file.read() == "9", "writing through a handle after its file was renamed")
        os.unlink(f"{where}/moved/e")
        os.rmdir(f"{where}/moved")


@suite.test("link")
def link(_server):
    with client.mounted("share") as where:
        machine.write(f"{where}/one", "content")
        os.link(f"{where}/one", f"{where}/two")
        check(os.stat(f"{ROOT}/one").st_ino == os.stat(f"{ROOT}/two").st_ino, "the link is another file")
        check(os.stat(f"{ROOT}/one").st_nlink == 2, "the server's file has not two links")
        os.unlink(f"{where}/one")
        with open(f"{where}/two", encoding="utf-8") as file:
            check(file.read() == "content", "the content is gone with the first name")
        os.unlink(f"{where}/two")


@suite.test("truncate")
def truncate(_server):
    with client.mounted("share") as where:
        path = f"{where}/file"
        with open(path, "wb") as file:
            file.write(b"a" * 100_000)
        os.truncate(path, 50_000)
        check(os.path.getsize(f"{ROOT}/file") == 50_000, "shortening by name")
        os.truncate(path, 200_000)
        with open(f"{ROOT}/file", "rb") as file:
            check(file.read() == b"a" * 50_000 + b"\0" * 150_000, "lengthening must add zeros only")
        with open(path, "r+b") as file:
            file.truncate(10)
        check(os.path.getsize(f"{ROOT}/file") == 10, "shortening by handle")
        forget()
        check(os.path.getsize(path) == 10, "the client's view of the size")
        with open(path, "wb"):
            pass
        check(os.path.getsize(f"{ROOT}/file") == 0, "opening with O_TRUNC")
        os.unlink(path)


@suite.test("times")
def times(_server):
    with client.mounted("share") as where:
        path = f"{where}/file"
        machine.write(path, "x")
        when = 1_000_000_000_123_456_700
        os.utime(path, ns=(when + 5_000_000_000, when))
        seen = os.stat(f"{ROOT}/file")
        check(seen.st_mtime_ns == when, f"modification time on the server: {seen.st_mtime_ns}, not {when}")
        check(seen.st_atime_ns == when + 5_000_000_000, f"access time on the server: {seen.st_atime_ns}")
        client_view = os.stat(path)
        check(client_view.st_mtime_ns == when, f"modification time at the client: {client_view.st_mtime_ns}")
        before = time.time()
        with open(path, "a", encoding="utf-8") as file:
            file.write("y")
        after = os.stat(f"{ROOT}/file").st_mtime
        check(before - 5 <= after <= time.time() + 5, f"writing did not set the modification time: {after}")
        os.unlink(path)


@suite.test("statfs")
def statfs(_server):
    with client.mounted("share") as where:
        seen, real = os.statvfs(where), os.statvfs(ROOT)
        for field in ("f_blocks", "f_bavail"):
            a, b = getattr(seen, field) * seen.f_frsize, getattr(real, field) * real.f_frsize
            check(abs(a - b) <= 64 * MIB, f"{field}: {a} bytes at the client, {b} at the server")
        check(seen.f_namemax == 255, f"names of {seen.f_namemax}, not 255")


@suite.test("names")
def names(_server):
    """Long, odd and non-Latin names, as cifs.ko maps them."""
    wanted = ["x" * 255, "a b c", "ünïcödé", "日本語", "😀", "UPPER", ".dot", "~tilde", "#hash", "%41", "a'b", "semi;colon", "dots...txt"]
    with client.mounted("share", mapposix=True) as where:
        for name in wanted:
            machine.write(f"{where}/{name}", name)
        forget()
        check(sorted(os.listdir(where)) == sorted(wanted), f"listed: {sorted(os.listdir(where))}")
        check(sorted(os.listdir(ROOT)) == sorted(wanted), f"on the server: {sorted(os.listdir(ROOT))}")
        for name in wanted:
            with open(f"{where}/{name}", encoding="utf-8") as file:
                check(file.read() == name, f"the content of {name}")
            os.unlink(f"{where}/{name}")
        deep = "/".join(["deep-folder"] * 20)
        os.makedirs(f"{where}/{deep}")
        machine.write(f"{where}/{deep}/file", "deep")
        check(os.path.isfile(f"{ROOT}/{deep}/file"), "a path of 240 characters")
        sh(f"rm -r {where}/deep-folder")


@suite.test("delete-open")
def delete_open(_server):
    """A file deleted while open stays usable through its handle and its name goes at the last close."""
    with client.mounted("share") as where:
        with open(f"{where}/file", "w+b") as file:
            file.write(b"x" * 5000)
            file.flush()
            os.unlink(f"{where}/file")
            check("file" not in os.listdir(where), "its name is still listed")
            file.seek(0)
            check(file.read() == b"x" * 5000, "its content is gone while it is open")
        # The client closes when it sees fit.
        wait_for("the name to go from the server", lambda: not os.listdir(ROOT))


@suite.test("random-access")
def random_access(_server):
    """Writes at odd offsets with and without the client's cache, compared with the same done locally."""
    for cache in ("strict", "none"):
        with client.mounted("share", cache=cache) as where:
            sh(
                f"""
                for file in {where}/file /tmp/local; do
                    rm -f $file
                    for at in 0 4097 100000 65535 12345 999999 500001 3; do
                        head -c 7777 /dev/zero | tr '\\0' "$((at % 10))" | dd of=$file bs=7777 seek=$at oflag=seek_bytes conv=notrunc status=none
                    done
                done
                cmp {where}/file /tmp/local
                """
            )
            run("cmp", f"{ROOT}/file", "/tmp/local")
            os.unlink(f"{where}/file")


@suite.test("mmap")
def memory_map(_server):
    import mmap

    with client.mounted("share") as where:
        with open(f"{where}/file", "w+b") as file:
            file.truncate(3 * 4096 + 17)
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[4000:4200] = b"m" * 200
                memory.flush()
        with open(f"{ROOT}/file", "rb") as file:
            check(file.read() == b"\0" * 4000 + b"m" * 200 + b"\0" * (3 * 4096 + 17 - 4200), "what was written through a mapping")
        os.unlink(f"{where}/file")


@suite.test("5000-entries", timeout=300)
def many_entries(_server):
    """A folder of 5,000 files is listed whole and without doubles, by both clients."""
    folder = f"{ROOT}/many"
    os.makedirs(folder)
    wanted = {f"entry-{n:05d}-{'x' * (n % 60)}" for n in range(5000)}
    for name in wanted:
        os.close(os.open(f"{folder}/{name}", os.O_CREAT))
    with client.mounted("share") as where:
        seen = os.listdir(f"{where}/many")
        check(len(seen) == 5000 and set(seen) == wanted, f"{len(seen)} listed, {len(wanted - set(seen))} missing")
        with os.scandir(f"{where}/many") as entries:
            sizes = sum(entry.stat().st_size == 0 for entry in entries)
        check(sizes == 5000, f"{sizes} of 5000 have the right size")
    out = client.smbclient("share", 'cd many; ls "*"').output
    check(sum("entry-" in line for line in out.splitlines()) == 5000, "smbclient lists another number")
    sh(f"rm -r {folder}")


def pattern(index):
    """One MiB that differs from every other one, cheaply made."""
    return index.to_bytes(8, "little") + BLOCK[8:]


BLOCK = hashlib.shake_128(b"ksmbd").digest(MIB)


@suite.test("16-writers", timeout=400)
def writers(_server):
    """Sixteen processes write files of their own at once; every byte arrives."""
    script = "import os,sys; n=int(sys.argv[1]); f=open(sys.argv[2],'wb',buffering=0)\nfor i in range(48): f.write(bytes([n,i])*65536)\nos.fsync(f.fileno())"
    with client.mounted("share") as where:
        children = [subprocess.Popen(["python3", "-c", script, str(n), f"{where}/writer-{n}"]) for n in range(16)]
        check([child.wait() for child in children] == [0] * 16, "a writer failed")
        forget()
        for n in range(16):
            want = b"".join(bytes([n, i]) * 65536 for i in range(48))
            for path in (f"{ROOT}/writer-{n}", f"{where}/writer-{n}"):
                with open(path, "rb") as file:
                    check(file.read() == want, f"{path} differs")
            os.unlink(f"{where}/writer-{n}")


@suite.test("one-file-many-writers", timeout=300)
def shared_file(_server):
    """Writers of one file at interleaved places, past the cache."""
    with client.mounted("share", cache="none") as where:
        path = f"{where}/shared"
        open(path, "wb").close()
        problems = []

        def work(n):
            try:
                fd = os.open(path, os.O_WRONLY)
                for i in range(40):
                    os.pwrite(fd, bytes([n]) * 10_000, (i * 8 + n) * 10_000)
                os.close(fd)
            except OSError as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not problems, f"writing failed: {problems}")
        with open(f"{ROOT}/shared", "rb") as file:
            want = b"".join(bytes([n]) * 10_000 for _ in range(40) for n in range(8))
            check(file.read() == want, "the file is not what the writers wrote")
        os.unlink(path)


@suite.test("1-gib-file", timeout=900)
def large_file(_server):
    """1 GiB written, the share remounted, read again and hashed; the server's own copy has the same hash."""
    with client.mounted("share") as where:
        with open(f"{where}/large", "wb", buffering=0) as file:
            for index in range(1024):
                data = memoryview(pattern(index))
                while data:
                    data = data[file.write(data) :]
        check(os.path.getsize(f"{where}/large") == 1024 * MIB, "the size at the client")
    forget()
    want = hashlib.sha1()
    for index in range(1024):
        want.update(pattern(index))
    with client.mounted("share") as where:
        seen = run("sha1sum", f"{where}/large", timeout=600).output.split()[0]
        check(seen == want.hexdigest(), f"the hash through the mount is {seen}, not {want.hexdigest()}")
        forget()
        on_server = run("sha1sum", f"{ROOT}/large", timeout=600).output.split()[0]
        check(on_server == want.hexdigest(), "the server's own file has another hash")
        os.unlink(f"{where}/large")


def working(count):
    """Whether that many kernel workers wait in the middle of a write."""
    stacks = subprocess.run("cat /proc/[0-9]*/stack 2>/dev/null | grep -c percpu_rwsem_wait", shell=True, stdout=subprocess.PIPE, text=True, check=False)
    return int(stacks.stdout or 0) >= count


@suite.test("64-in-flight", timeout=180)
def in_flight(_server):
    """64 requests of one connection are worked on at once: the file system is frozen, so that each WRITE stays in its worker, and
    what is asked after them is answered all the same. Thawed, every one is answered and in the file."""
    raw = rawconn.session("share", machine.USER, machine.PASSWORD)
    rawconn.more_credits(raw, 256)
    file_id = rawconn.file_id_of(raw.ask(5, rawconn.create_body("in-flight", disposition=2)))
    run("fsfreeze", "-f", ROOT)
    try:
        writes = [raw.post(9, rawconn.write_body(file_id, index * 4096, bytes([index]) * 4096)) for index in range(64)]
        wait_for("64 workers to be in the middle of a write", lambda: working(64), timeout=60)
        early = []
        check(raw.answer_to(raw.post(13, struct.pack("<HH", 4, 0)), early).status == 0, "ECHO failed behind 64 writes")
        check(not [one for one in early if not one.is_pending], "a write was answered although the file system is frozen")
    finally:
        run("fsfreeze", "-u", ROOT)
    while writes:
        answer = raw.take()
        if answer.is_pending:
            continue
        check(answer.status == 0, f"a write was answered with {answer.status:#x}")
        writes.remove(answer.message)
    raw.close_socket()
    with open(f"{ROOT}/in-flight", "rb") as file:
        check(file.read() == b"".join(bytes([index]) * 4096 for index in range(64)), "the file does not hold what was written")


# How the bytes of a frame are handed to TCP: what is in large pieces is written out of the pages that it came in, the rest is copied.
PIECES = {
    "whole": [],
    "behind their header": [116],
    "from within": [116 + 300],
    "in small pieces": range(1000, 150_000, 1000),
    "large, then small": range(2 * MIB, 2 * MIB + 150_000, 1000),
    "small, then large": range(40, 4_000, 40),
}


@suite.test("pieces", timeout=180)
def pieces(_server):
    """What a client writes is in the file, in whatever pieces it comes; and what is no file gives the answer that a signed request gets."""
    raw = rawconn.session("share", machine.USER, machine.PASSWORD)
    rawconn.more_credits(raw, 256)
    file_id = rawconn.file_id_of(raw.ask(5, rawconn.create_body("pieces", disposition=2)))
    for index, (name, cuts) in enumerate(PIECES.items()):
        data = b"".join(pattern(4 * index + part) for part in range(3)) + bytes([index]) * 777
        message, pdu = raw.pdu(9, rawconn.write_body(file_id, 5 + index, data), charge=49, sign=False)
        frame = struct.pack(">I", len(pdu)) + pdu
        for start, end in zip([0, *cuts], [*cuts, len(frame)]):
            raw.socket.sendall(frame[start:end])
        answer = raw.answer_to(message)
        check(answer.status == 0, f"{name}: answered with {answer.status:#x}")
        check(struct.unpack_from("<I", answer.body, 4)[0] == len(data), f"{name}: another count")
        with open(f"{ROOT}/pieces", "rb") as file:
            file.seek(5 + index)
            check(file.read() == data, f"{name}: the file holds something else")
    for size in (2_000, 40_000):
        stream = rawconn.file_id_of(raw.ask(5, rawconn.create_body(f"pieces:{size}", disposition=2)))
        statuses = [raw.ask(9, rawconn.write_body(stream, 0, BLOCK[:size]), sign=sign).status for sign in (True, False)]
        check(statuses[0] == statuses[1], f"{size} bytes to a stream, signed and not: {statuses[0]:#x}, {statuses[1]:#x}")
    raw.close_socket()
