# SPDX-License-Identifier: GPL-2.0
"""cifs.ko mounts in every dialect and protection, and what was really negotiated."""

import hashlib
import os
import stat

from lib import client, machine
from lib.proc import check, run
from lib.registry import Suite

suite = Suite("mount", cost=70, cpus=1)
DIALECTS = {"2.1": 0x210, "3.0": 0x300, "3.02": 0x302, "3.1.1": 0x311}
PROTECTIONS = {"plain": {}, "sign": {"sec": "ntlmsspi"}, "seal": {"seal": True}}


@suite.before
def start(server):
    machine.Disk("tmpfs").mount("/srv/smb/share")
    os.chmod("/srv/smb/share", 0o777)
    server.start({"share": {"path": "/srv/smb/share"}})


def write_and_read(where):
    """Files of sizes around every limit, through the cache and past it."""
    for size in (0, 1, 4095, 4096, 65537, 3 << 20):
        data = os.urandom(size)
        path = f"{where}/file-{size}"
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        run("sh", "-c", "echo 3 >/proc/sys/vm/drop_caches")
        with open(path, "rb") as file:
            check(hashlib.sha1(file.read()).digest() == hashlib.sha1(data).digest(), f"{size} bytes read back differ")
        with open(f"/srv/smb/share/file-{size}", "rb") as file:
            check(file.read() == data, f"the server's own file of {size} bytes differs")
        os.unlink(path)


def case(vers, protection, cipher=None, parameters=None, **more):
    """A test that mounts so, checks what cifs.ko says it negotiated, and moves data."""

    def run_case(_server):
        for name, value in (parameters or {}).items():
            machine.write(f"/sys/module/cifs/parameters/{name}", value)
        try:
            with client.mounted("share", vers=vers, **PROTECTIONS[protection], **more) as where:
                seen = client.connection()
                check(seen["dialect"] == DIALECTS[vers], f"asked for {vers}, negotiated {seen['dialect']:#x}")
                if protection == "seal":
                    check(seen["sealed"], f"the share is not encrypted: {seen['text']}")
                    if cipher:
                        check(seen["cipher"] == cipher, f"cipher is {seen['cipher']}, not {cipher}")
                elif protection == "sign":
                    check("signed" in seen["session"], f"the session is not signed: {seen['text']}")
                write_and_read(where)
        finally:
            for name in parameters or {}:
                machine.write(f"/sys/module/cifs/parameters/{name}", DEFAULTS[name])

    return run_case


# cifs.ko's own defaults, restored after the cases that change them.
DEFAULTS = {"enable_gcm_256": "Y", "require_gcm_256": "N", "enable_negotiate_signing": "N"}

for _vers in DIALECTS:
    for _protection in PROTECTIONS:
        if _vers == "2.1" and _protection == "seal":
            continue
        suite.add(f"{_vers}.{_protection}", case(_vers, _protection))


@suite.test("2.1.seal-refused")
def seal_needs_smb3(_server):
    """SMB 2.1 has no encryption: the client itself must refuse, and not fall back to plain."""
    result = client.try_mount("share", vers="2.1", seal=True)
    if result.status == 0:
        client.umount()
    check(result.status != 0, "a sealed mount with SMB 2.1 succeeded")


suite.add("3.1.1.seal.aes-128-gcm", case("3.1.1", "seal", "AES128-GCM", {"enable_gcm_256": "N"}))
suite.add("3.1.1.seal.aes-256-gcm", case("3.1.1", "seal", "AES256-GCM", {"require_gcm_256": "Y"}))
suite.add("3.1.1.sign.negotiated", case("3.1.1", "sign", None, {"enable_negotiate_signing": "Y"}))


@suite.test("ipv6")
def over_ipv6(_server):
    with client.mounted("share", host="::1") as where:
        write_and_read(where)


@suite.test("default-dialect")
def default_dialect(_server):
    """Without vers= the client offers all of SMB 2.1 and later in a multi-dialect negotiate."""
    with client.mounted("share", vers="default") as where:
        check(client.connection()["dialect"] == 0x311, "the best common dialect is 3.1.1")
        write_and_read(where)


@suite.test("dot-files")
def dot_files(_server):
    """What a shell does with a file whose name begins with a dot: write it, and write it again."""
    for content in ("first", "second"):
        # A client that has the file open still would truncate it instead.
        with client.mounted("share") as where:
            run("sh", "-c", f"echo {content} >{where}/.file")
    with open("/srv/smb/share/.file", encoding="utf-8") as file:
        check(file.read() == "second\n", "the file was not overwritten")


@suite.test("posix", lacks={"samba": "the client mounts none of its shares so"})
def posix(_server):
    """With the POSIX extensions: names that differ in case alone are two files, and kinds and modes are the server's own."""
    os.mkfifo("/srv/smb/share/pipe")
    os.chmod("/srv/smb/share/pipe", 0o640)
    try:
        with client.mounted("share", posix=True) as where:
            write_and_read(where)
            for name in ("Name", "name"):
                machine.write(f"{where}/{name}", name)
            check(sorted(n for n in os.listdir(where) if n.lower() == "name") == ["Name", "name"], f"there is {os.listdir(where)}")
            os.close(os.open(f"{where}/private", os.O_CREAT | os.O_WRONLY, 0o600))
            made = stat.S_IMODE(os.stat("/srv/smb/share/private").st_mode)
            check(made == 0o600, f"a file that was made with mode 600 has {made:o}")
            os.mkdir(f"{where}/folder", 0o750)
            made = stat.S_IMODE(os.stat("/srv/smb/share/folder").st_mode)
            check(made == 0o750, f"a folder that was made with mode 750 has {made:o}")
            check(stat.S_ISDIR(os.stat(f"{where}/folder").st_mode), "a folder is not one")
            os.makedirs(f"{where}/deep/er")
            machine.write(f"{where}/deep/er/file", "deep")
            os.rename(f"{where}/deep/er/file", f"{where}/deep/File")
            machine.write(f"{where}/deep/file", "other")
            os.link(f"{where}/deep/File", f"{where}/deep/er/link")
            for name, content in (("File", "deep"), ("file", "other"), ("er/link", "deep")):
                with open(f"/srv/smb/share/deep/{name}", encoding="utf-8") as file:
                    check(file.read() == content, f"{name} holds something else")
            for seen in (os.stat(f"{where}/pipe"), next(entry for entry in os.scandir(where) if entry.name == "pipe").stat()):
                check(stat.filemode(seen.st_mode) == "prw-r-----", f"the pipe is {stat.filemode(seen.st_mode)}")
    finally:
        os.unlink("/srv/smb/share/pipe")


@suite.test("two-users")
def two_users(_server):
    """Files belong to the user who made them, on two sessions at once."""
    with client.mounted("share", "/mnt/one") as one, client.mounted(
        "share", "/mnt/two", user=machine.OTHER, password=machine.OTHER_PASSWORD
    ) as two:
        for where, name in ((one, "one"), (two, "two")):
            with open(f"{where}/of-{name}", "w", encoding="utf-8") as file:
                file.write(name)
        ids = [os.stat(f"/srv/smb/share/of-{name}").st_uid for name in ("one", "two")]
        want = [int(run("id", "-u", user).output) for user in (machine.USER, machine.OTHER)]
        check(ids == want, f"owners are {ids}, should be {want}")
