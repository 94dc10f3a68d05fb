# SPDX-License-Identifier: GPL-2.0
"""Opening, deleting and controlling files, message by message: what no client of an operating system would ask for in this order."""

import os
import struct

from lib import machine, rawfiles as raw
from lib.proc import check, run, sh, wait_for
from lib.rawfiles import Files
from lib.registry import Suite

suite = Suite("files", disk="1G", cost=90)
ROOT = "/srv/smb/share"
C_LACKS = {kind: "the C module does otherwise" for kind in ("c", "ours-tools", "samba")}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("ext4").mount(ROOT)
    empty()
    server.start({"share": {"path": ROOT}, "links": {"path": ROOT, "follow symlinks": "yes"}})


def empty():
    """Nothing of an earlier test is left in the share."""
    sh(f"rm -rf {ROOT}/*")
    os.chmod(ROOT, 0o777)


def own(path, user=machine.USER):
    run("chown", user, path)


def fresh(name, content="content"):
    """A file of the client's user."""
    empty()
    machine.write(f"{ROOT}/{name}", content)
    own(f"{ROOT}/{name}")


@suite.test("delete-one-of-two-names", lacks=C_LACKS)
def delete_one_of_two_names(_server):
    """A name that was deleted goes, and only that, whatever other name was closed last."""
    fresh("one")
    os.link(f"{ROOT}/one", f"{ROOT}/two")
    with Files("share") as client:
        other = client.open("two")
        name = client.open("one", raw.READS | raw.DELETE)
        client.delete(name)
        client.open("one", expect=raw.DELETE_PENDING)
        client.shut(client.open("two"))
        client.shut(name)
        check(sorted(os.listdir(ROOT)) == ["two"], f"left after the close of the deleted name: {os.listdir(ROOT)}")
        client.shut(other)
        check(sorted(os.listdir(ROOT)) == ["two"], f"left after the close of the other name: {os.listdir(ROOT)}")
        client.shut(client.open("two"))


@suite.test("delete-in-the-name-of-who-asked", lacks=C_LACKS)
def delete_as_who_asked(_server):
    """In a directory that lets users delete only their own files, a file goes although the last to close it is somebody else."""
    empty()
    os.mkdir(f"{ROOT}/sticky")
    os.chmod(f"{ROOT}/sticky", 0o1777)
    machine.write(f"{ROOT}/sticky/file", "x")
    own(f"{ROOT}/sticky/file")
    with Files("share") as owner, Files("share", machine.OTHER, machine.OTHER_PASSWORD) as reader:
        held = reader.open("sticky\\file")
        name = owner.open("sticky\\file", raw.READS | raw.DELETE)
        owner.delete(name)
        owner.shut(name)
        check(os.listdir(f"{ROOT}/sticky") == ["file"], "the file went before its last open")
        reader.shut(held)
        check(os.listdir(f"{ROOT}/sticky") == [], "the file stayed because its last reader may not delete it")


@suite.test("delete-at-once", lacks=C_LACKS)
def delete_at_once(_server):
    """With POSIX semantics the name goes with the handle that deleted it; who has the file open keeps it, and the name is free."""
    fresh("file", "old")
    with Files("share") as client:
        held = client.open("file")
        name = client.open("file", raw.READS | raw.DELETE)
        client.delete_posix(name)
        client.shut(name)
        check(os.listdir(ROOT) == [], "the name is still there")
        new = client.open("file", raw.WRITES, raw.MAKE)
        client.put(new, 0, b"new")
        check(client.get(held, 0, 3) == b"old", "who had it open lost the file")
        client.shut(held)
        client.shut(new)
        check(os.listdir(ROOT) == ["file"], "the new file went with the old one")


@suite.test("delete-what-the-directory-keeps", lacks=C_LACKS)
def delete_denied(_server):
    """Who may not write to a directory is told so when he deletes his file in it, and not told that it was done."""
    empty()
    os.mkdir(f"{ROOT}/closed", 0o755)
    machine.write(f"{ROOT}/closed/mine", "x")
    own(f"{ROOT}/closed/mine")
    with Files("share") as client:
        name = client.open("closed\\mine", raw.READS | raw.DELETE)
        client.delete(name, expect=raw.ACCESS_DENIED)
        client.shut(name)
        client.open("closed\\mine", raw.READS | raw.DELETE, options=raw.DELETE_ON_CLOSE, expect=raw.ACCESS_DENIED)
    check(os.listdir(f"{ROOT}/closed") == ["mine"], "it went")


@suite.test("nothing-new-where-all-goes", lacks=C_LACKS)
def deleted_directory(_server):
    """A directory that is to be deleted takes no new names."""
    empty()
    with Files("share") as client:
        folder = client.open("folder", raw.READS | raw.DELETE, raw.MAKE, raw.DIRECTORY)
        client.delete(folder)
        client.open("folder\\new", raw.WRITES, raw.MAKE, expect=raw.DELETE_PENDING)
        client.shut(folder)
    check(os.listdir(ROOT) == [], f"left: {os.listdir(ROOT)}")


@suite.test("links-replace-each-other", lacks=C_LACKS)
def rename_to_own_link(_server):
    """A file renamed to another name of its own has that name alone."""
    fresh("one")
    os.link(f"{ROOT}/one", f"{ROOT}/two")
    with Files("share") as client:
        name = client.open("one", raw.READS | raw.DELETE)
        client.rename(name, "two", replace=True)
        client.shut(name)
    check(os.listdir(ROOT) == ["two"], f"left: {os.listdir(ROOT)}")


@suite.test("full-table-empties-nothing", lacks=C_LACKS)
def full_table(server):
    """An open that there is no room for neither empties a file nor makes one."""
    server.stop()
    fresh("file", "content")
    server.start({"share": {"path": ROOT}}, **{"max open files": "3"})
    try:
        with Files("share") as client:
            held = [client.open("file") for _ in range(3)]
            client.open("file", raw.READS | raw.WRITES, raw.OVERWRITE_IF, expect=raw.TOO_MANY_OPENED_FILES)
            client.open("new", raw.WRITES, raw.MAKE, expect=raw.TOO_MANY_OPENED_FILES)
            check(os.path.getsize(f"{ROOT}/file") == 7, "the file was emptied")
            check(os.listdir(ROOT) == ["file"], f"made: {os.listdir(ROOT)}")
            for one in held:
                client.shut(one)
            client.shut(client.open("new", raw.WRITES, raw.MAKE))
    finally:
        server.stop()
        start(server)


@suite.test("failed-create-leaves-nothing", lacks=C_LACKS)
def failed_create(_server):
    """A file whose extended attributes cannot be set is not made."""
    empty()
    entry = struct.pack("<IBBH", 0, 0, 9, 1) + b"DOSATTRIB\0" + b"x"
    with Files("share") as client:
        client.open("new", raw.WRITES, raw.MAKE, contexts=raw.context(b"ExtA", entry), expect=raw.ACCESS_DENIED)
        check(os.listdir(ROOT) == [], f"left: {os.listdir(ROOT)}")
        client.shut(client.open("new", raw.WRITES, raw.MAKE))


@suite.test("append-only", lacks=C_LACKS)
def append_only(_server):
    """Who may only append cannot change what is there."""
    fresh("file", "12345")
    with Files("share") as client:
        file = client.open("file", raw.APPEND_DATA | raw.READ_ATTRIBUTES)
        client.put(file, 0, b"x", expect=raw.ACCESS_DENIED)
        client.put(file, 4, b"xx", expect=raw.ACCESS_DENIED)
        client.put(file, 5, b"6")
        client.put(file, 0xFFFFFFFFFFFFFFFF, b"7")
        client.shut(file)
    with open(f"{ROOT}/file", encoding="utf-8") as file:
        check(file.read() == "1234567", "the file is not what was appended")
