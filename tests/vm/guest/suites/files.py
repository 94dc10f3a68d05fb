# SPDX-License-Identifier: GPL-2.0
"""Opening, deleting and controlling files, message by message: what no client of an operating system would ask for in this order."""

import os
import struct

from lib import machine, rawfiles as raw
from lib.proc import Failure, check, run, sh
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
    sh(f"find {ROOT} -mindepth 1 -delete")
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
        file = client.open("file", raw.READS | raw.DELETE, raw.MAKE)
        client.link(file, "folder\\link", expect=raw.DELETE_PENDING)
        client.rename(file, "folder\\file", expect=raw.DELETE_PENDING)
        client.delete(file)
        client.shut(file)
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
    """The offset of all ones means the end to who may only append; a place that he names is meant, as on Windows."""
    fresh("file", "12345")
    with Files("share") as client:
        file = client.open("file", raw.APPEND_DATA | raw.READ_ATTRIBUTES)
        for byte in (b"6", b"7"):
            client.put(file, 0xFFFFFFFFFFFFFFFF, byte)
        client.put(file, 0, b"x")
        client.shut(file)
    with open(f"{ROOT}/file", encoding="utf-8") as file:
        check(file.read() == "x234567", "the file is not what was written")


@suite.test("appends-at-once", lacks=C_LACKS)
def appends_at_once(_server):
    """What several clients append at the same time is all there, each piece in one."""
    for size, rounds in ((8192, 48), (2 << 20, 1)):
        fresh("file", "")
        pieces, sent = [], []
        with Files("share") as one, Files("share") as two:
            opened = [(client, client.open("file", raw.APPEND_DATA | raw.READ_ATTRIBUTES)) for client in (one, two)]
            for _ in range(rounds):
                for client, file in opened:
                    pieces.append(struct.pack("<I", len(pieces)) * (size // 4))
                    sent.append((client, client.send_put(file, raw.AT_END, pieces[-1])))
            for client, message in sent:
                check(raw.status(client.answer(message)) == 0, "a piece was not written")
        with open(f"{ROOT}/file", "rb") as file:
            data = file.read()
        found = sorted(data[at : at + size] for at in range(0, len(data), size))
        check(len(data) == size * len(pieces), f"{len(pieces)} pieces of {size} bytes became {len(data)} bytes")
        check(found == sorted(pieces), f"of {len(pieces)} pieces of {size} bytes {len(set(found) & set(pieces))} are there")


@suite.test("refused-replacement", lacks=C_LACKS)
def refused_replacement(_server):
    """A file that a new name was to replace is still there if the name could not be given."""
    empty()
    os.mkdir(f"{ROOT}/closed", 0o755)
    for name, owner in (("closed/mine", machine.USER), ("mine", machine.USER), ("old", machine.USER), ("roots", "root")):
        machine.write(f"{ROOT}/{name}", name)
        own(f"{ROOT}/{name}", owner)
    os.link(f"{ROOT}/closed/mine", f"{ROOT}/other")
    with Files("share") as client:
        roots = client.open("roots")
        client.link(roots, "old", replace=True, expect=raw.ACCESS_DENIED)
        check(sorted(os.listdir(ROOT)) == ["closed", "mine", "old", "other", "roots"], f"left by a refused link: {os.listdir(ROOT)}")
        mine = client.open("closed\\mine", raw.READS | raw.DELETE)
        for words, name in (("a rename", "old"), ("a rename to another spelling", "OLD"), ("a rename to a link of it", "other")):
            client.rename(mine, name, replace=True, expect=raw.ACCESS_DENIED)
            left = sorted(os.listdir(ROOT))
            check(left == ["closed", "mine", "old", "other", "roots"], f"left by {words}, which was refused: {left}")
        check(os.listdir(f"{ROOT}/closed") == ["mine"], f"left: {os.listdir(f'{ROOT}/closed')}")
        with open(f"{ROOT}/old", encoding="utf-8") as file:
            check(file.read() == "old", "another file has the name")


@suite.test("replacement", lacks=C_LACKS)
def replacement(_server):
    """A new name replaces a file of the same name, also of another spelling, and is spelled as it was asked for."""
    cases = (
        ("link", "old", ["old", "one", "two"]),
        ("link", "OLD", ["OLD", "one", "two"]),
        ("link", "TWO", ["TWO", "old", "one"]),
        ("rename", "old", ["old", "two"]),
        ("rename", "OLD", ["OLD", "two"]),
        ("rename", "TWO", ["TWO", "old"]),
    )
    for how, name, names in cases:
        fresh("one", "one")
        machine.write(f"{ROOT}/old", "old")
        os.link(f"{ROOT}/one", f"{ROOT}/two")
        with Files("share") as client:
            file = client.open("one", raw.READS | raw.DELETE)
            give = client.link if how == "link" else client.rename
            give(file, name, expect=raw.NAME_COLLISION)
            give(file, name, replace=True)
            check(sorted(os.listdir(ROOT)) == names, f"{how} to {name}: there is {os.listdir(ROOT)}")
            with open(f"{ROOT}/{name}", encoding="utf-8") as new:
                check(new.read() == "one", f"{how} to {name}: another file has the name")
            client.shut(client.open(name))
            client.shut(file)


@suite.test("overwrite-dot-file", lacks=C_LACKS)
def overwrite_dot_file(_server):
    """A file that is hidden for its name alone is overwritten as any other; one that was made hidden is not."""
    empty()
    with Files("share") as client:
        for content in (b"first", b"second"):
            file = client.open(".x", raw.READS | raw.WRITES, raw.OVERWRITE_IF)
            client.put(file, 0, content)
            client.shut(file)
        with open(f"{ROOT}/.x", "rb") as file:
            check(file.read() == b"second", "it was not overwritten")
        client.shut(client.open("hidden", raw.WRITES, raw.MAKE, attributes=2))
        client.open("hidden", raw.WRITES, raw.OVERWRITE_IF, expect=raw.ACCESS_DENIED)


@suite.test("most-of-a-read-only-file", lacks=C_LACKS)
def most_of_read_only(_server):
    """Who asks for all that he may do with a read-only file may not write to it."""
    empty()
    with Files("share") as client:
        client.shut(client.open("file", raw.WRITES, raw.MAKE, attributes=1))
        file = client.open("file", raw.MAXIMUM_ALLOWED)
        access = struct.unpack("<I", client.query_info(file, 1, 8))[0]
        check(access & 0x10007 == 0x10001, f"granted {access:#x}")
        client.put(file, 0, b"x", expect=raw.ACCESS_DENIED)
        client.shut(file)


@suite.test("failed-create-empties-nothing", lacks=C_LACKS)
def failed_overwrite(_server):
    """A file that could not be overwritten as it was asked for still has its content."""
    fresh("file")

    def attribute(name, value):
        return raw.context(b"ExtA", struct.pack("<IBBH", 0, 0, len(name), len(value)) + name + b"\0" + value)

    cases = (
        ("a name that is kept back", attribute(b"DOSATTRIB", b"x"), raw.ACCESS_DENIED),
        ("a name that is none", attribute(b"a*b", b"x"), raw.INVALID_EA_NAME),
        ("a value that is too large", attribute(b"large", b"x" * 8000), raw.EA_TOO_LARGE),
        ("more space than there is", raw.context(b"AlSi", struct.pack("<Q", 1 << 40)), raw.DISK_FULL),
    )
    with Files("share") as client:
        for words, contexts, expected in cases:
            answer = client.open("file", raw.READS | raw.WRITES, raw.OVERWRITE_IF, contexts=contexts, expect=None)
            check(raw.status(answer) == expected, f"{words}: {raw.status(answer):#010x}")
            check(os.path.getsize(f"{ROOT}/file") == 7, f"{words}: the file was emptied")
        client.shut(client.open("file", raw.WRITES, raw.OVERWRITE_IF, contexts=attribute(b"small", b"x")))
        check(os.path.getsize(f"{ROOT}/file") == 0, "the file was not emptied")


@suite.test("nothing-opens-what-goes", lacks=C_LACKS)
def nothing_opens_what_goes(_server):
    """A file that is to be deleted is not opened any more, also not in the moment in which it goes."""
    empty()
    with Files("share") as one, Files("share") as two:
        for _ in range(200):
            file = one.open("file", raw.READS | raw.DELETE, raw.MAKE)
            one.delete(file)
            closing = one.send_shut(file)
            answer = two.open("file", expect=None)
            check(raw.status(one.answer(closing)) == 0, "the file was not closed")
            check(raw.status(answer) in (raw.DELETE_PENDING, raw.NAME_NOT_FOUND), f"an open was answered with {raw.status(answer):#010x}")


@suite.test("controls-break-caches", lacks=C_LACKS)
def controls_break_caches(_server):
    """Who reads through a level II oplock is told when a control changes the data."""
    fresh("file", "x" * 65536)
    with Files("share") as reader, Files("share") as writer:
        access = raw.READS | raw.WRITES
        source = writer.open("source", access, raw.OVERWRITE_IF)
        writer.put(source, 0, b"y" * 4096)
        key = writer.control(source, raw.RESUME_KEY, b"", 32)[:24]
        file = writer.open("file", access)
        controls = {
            "zero data": (raw.SET_ZERO_DATA, struct.pack("<QQ", 0, 4096), 0),
            "trim": (raw.LEVEL_TRIM, struct.pack("<IIQQ", 0, 1, 4096, 4096), 4),
            "copy": (raw.COPYCHUNK_WRITE, key + struct.pack("<IIQQII", 1, 0, 0, 8192, 4096, 0), 12),
            "duplicate": (raw.DUPLICATE_EXTENTS, source + struct.pack("<QQQ", 0, 12288, 4096), 0),
        }
        for words, (code, data, room) in controls.items():
            held = reader.open("file", raw.READS, oplock=raw.LEVEL_II)
            check(reader.granted_oplock == raw.LEVEL_II, f"{words}: no oplock was granted but {reader.granted_oplock}")
            writer.control(file, code, data, room)
            level, file_id = reader.wait_for_break()
            check(level == 0 and file_id == held, f"{words}: broken to {level}")
            reader.shut(held)


@suite.test("directories-stay-while-files-are-open", lacks=C_LACKS)
def rename_above_open(_server):
    """A directory with an open file in it keeps its name, however many others are open."""
    empty()
    os.makedirs(f"{ROOT}/folder/inner")
    for path in ("folder", "folder/inner"):
        os.chmod(f"{ROOT}/{path}", 0o777)
    with Files("share") as client:
        folder = client.open("folder", raw.READS | raw.DELETE, options=raw.DIRECTORY)
        # Where the file stands among the others, which are looked at in turns, is chance.
        for number in range(150):
            file = client.open(f"file{number}", raw.WRITES, raw.MAKE)
            if number % 15 == 0:
                inner = client.open("folder\\inner\\file", raw.WRITES | raw.DELETE, raw.MAKE, raw.DELETE_ON_CLOSE)
                client.rename(folder, "other", expect=raw.ACCESS_DENIED)
                client.shut(inner)
        client.rename(folder, "other")
        client.shut(file)
    check("other" in os.listdir(ROOT), f"the directory has not got its new name: {os.listdir(ROOT)}")


def duplicated(source, start, to, length):
    return source + struct.pack("<QQQ", start, to, length)


@suite.test("duplicates-heed-locks", lacks=C_LACKS)
def duplicates_heed_locks(_server):
    """What somebody has locked is neither duplicated from nor onto."""
    fresh("file", "x" * 16384)
    with Files("share") as client:
        access = raw.READS | raw.WRITES
        source, target, other = (client.open(name, access, raw.OPEN_IF) for name in ("file", "target", "file"))
        client.put(target, 0, b"y" * 16384)
        ours = client.open("target", access)
        client.lock(other, 0, 4096, 2 | 16)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 0, 0, 4096), expect=raw.LOCK_CONFLICT)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 4096, 0, 4096))
        client.lock(ours, 8192, 4096, 1 | 16)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 4096, 8192, 4096), expect=raw.LOCK_CONFLICT)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 4096, 12288, 4096))
        data = client.get(target, 0, 16384)
    check(data == b"x" * 4096 + b"y" * 8192 + b"x" * 4096, "the target is not what was to come of it")


@suite.test("duplicates-are-not-copied-for-long", lacks=C_LACKS)
def long_duplicate(_server):
    """Where blocks cannot be shared, as much is copied instead as one request may have copied, and no more."""
    fresh("source", "")
    os.truncate(f"{ROOT}/source", 100 << 30)
    machine.write(f"{ROOT}/target", "")
    own(f"{ROOT}/target")
    os.truncate(f"{ROOT}/target", 100 << 30)
    with Files("share") as client:
        access = raw.READS | raw.WRITES
        source, target = client.open("source", access), client.open("target", access)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 0, 0, (16 << 20) + 4096), expect=raw.NOT_SUPPORTED)
        client.control(target, raw.DUPLICATE_EXTENTS, duplicated(source, 0, 0, 16 << 20))
    empty()


@suite.test("lists-of-attributes", lacks=C_LACKS)
def ea_lists(_server):
    """Extended attributes are found in any case; lists that no file has are refused."""
    fresh("file")
    with Files("share") as client:
        file = client.open("file", raw.READS | raw.WRITES)
        client.set_eas(file, [(b"Alpha", b"1"), (b"beta", b"2"), (b"gamma", b"3")])
        found = [name.lower() for name in client.ask_eas(file, [b"GAMMA", b"none", b"alphA", b"alph", b"alpha"])]
        check(sorted(found) == [b"alpha", b"gamma"], f"found: {found}")
        client.ask_eas(file, [b"none"], expect=raw.NO_EAS_ON_FILE)
        many = [b"attribute%05d" % number for number in range(8000)]
        client.ask_eas(file, many, expect=raw.INVALID_PARAMETER)
        client.set_eas(file, [(b"many", b"x" * 100)] * 1200, expect=raw.EA_TOO_LARGE)
        client.ask_eas(file, [b"many"], expect=raw.NO_EAS_ON_FILE)


@suite.test("controls-are-seen", lacks=C_LACKS)
def controls_are_seen(_server):
    """Who watches a directory sees what controls change in it."""
    empty()
    with Files("share") as watcher, Files("share") as writer:
        file = writer.open("file", raw.READS | raw.WRITES, raw.MAKE)
        writer.put(file, 0, b"x" * 65536)
        for words, filters, code, data in (
            ("set sparse", 0x4, raw.SET_SPARSE, b"\1"),
            ("zero data", 0x18, raw.SET_ZERO_DATA, struct.pack("<QQ", 0, 4096)),
        ):
            folder = watcher.open("", raw.READS, options=raw.DIRECTORY)
            message = watcher.watch(folder, filters)
            writer.control(file, code, data)
            seen = watcher.changes(message)
            check(seen == [(3, "file")], f"{words}: {seen}")
            watcher.shut(folder)


@suite.test("names-are-seen", lacks=C_LACKS)
def names_are_seen(_server):
    """Who watches a directory sees the names that links and renames bring to it, and those that go for them."""
    added, removed, old, new = 1, 2, 4, 5
    with Files("share") as watcher, Files("share") as writer:
        for words, seen in (
            ("link", [(added, "two")]),
            ("link over", [(removed, "three"), (added, "three")]),
            ("rename over", [(removed, "three"), (old, "one"), (new, "three")]),
        ):
            fresh("one")
            machine.write(f"{ROOT}/three", "")
            own(f"{ROOT}/three")
            folder = watcher.open("", raw.READS, options=raw.DIRECTORY)
            message = watcher.watch(folder, 1)
            file = writer.open("one", raw.READS | raw.DELETE)
            if words == "rename over":
                writer.rename(file, "three", replace=True)
            else:
                writer.link(file, "two" if words == "link" else "three", replace=True)
            writer.shut(file)
            writer.shut(writer.open("end", raw.WRITES, raw.MAKE))
            found = watcher.changes(message)
            while found[-1] != (added, "end"):
                found += watcher.changes(watcher.watch(folder, 1))
            check(found[:-1] == seen, f"{words}: {found}")
            watcher.shut(folder)


def sid(text):
    """A SID on the wire, [MS-DTYP] 2.4.2.2."""
    _, revision, authority, *subs = text.split("-")
    return struct.pack(">BBQ", int(revision), len(subs), int(authority))[:2] + int(authority).to_bytes(6, "big") + b"".join(struct.pack("<I", int(sub)) for sub in subs)


def descriptor(owner=b"", aces=None):
    """A self-relative security descriptor of an owner and a DACL of (type, mask, SID, condition)."""
    entries = b""
    for kind, mask, who, condition in aces or ():
        entries += struct.pack("<BBHI", kind, 0, 8 + len(who) + len(condition), mask) + who + condition
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), len(aces), 0) + entries if aces is not None else b""
    control = 0x8000 | (4 if aces is not None else 0)
    return struct.pack("<BBHIIII", 1, 0, control, 20 if owner else 0, 0, 0, 20 + len(owner) if acl else 0) + owner + acl


EVERYONE, NOBODY = sid("S-1-1-0"), sid("S-1-5-21-1-2-3-4")


@suite.test("unknown-owner", lacks=C_LACKS)
def unknown_owner(_server):
    """A file is not given to somebody who is nobody here, and the client is told so."""
    fresh("file")
    with Files("share") as client:
        file = client.open("file", raw.READS | raw.WRITE_OWNER)
        client.set_info(file, 3, 0, descriptor(NOBODY), expect=raw.INVALID_OWNER, additional=1)
        client.shut(file)


@suite.test("conditional-entries", lacks=C_LACKS)
def conditional_entries(_server):
    """An entry with a condition that nobody evaluates grants nothing, and denies."""
    fresh("file")
    condition = b"artx\xf8\0\0\0"
    with Files("share") as client:
        for words, aces, mode in (
            ("allowing", [(0, 0x1F01FF, EVERYONE, b""), (9, 2, EVERYONE, condition)], 0o777),
            ("allowing alone", [(0, 0x120089, EVERYONE, b""), (9, 0x120116, EVERYONE, condition)], 0o444),
            ("denying", [(10, 2, EVERYONE, condition), (0, 0x1F01FF, EVERYONE, b"")], 0o555),
        ):
            file = client.open("file", raw.READS | raw.WRITE_DAC)
            client.set_info(file, 3, 0, descriptor(aces=aces), additional=4)
            client.shut(file)
            found = os.stat(f"{ROOT}/file").st_mode & 0o777
            check(found == mode, f"{words}: mode {found:o}, not {mode:o}")
            os.chmod(f"{ROOT}/file", 0o644)


@suite.test("create-with-security", lacks=C_LACKS)
def create_with_security(_server):
    """A descriptor that comes with a CREATE is set on what is made; one that cannot be set makes nothing."""
    empty()
    with Files("share") as client:
        read = descriptor(aces=[(0, 0x120089, EVERYONE, b"")])
        client.shut(client.open("new", raw.WRITES, raw.MAKE, contexts=raw.context(b"SecD", read)))
        found = os.stat(f"{ROOT}/new").st_mode & 0o777
        check(found == 0o444, f"mode {found:o}, not 444")
        client.open("other", raw.WRITES, raw.MAKE, contexts=raw.context(b"SecD", descriptor(NOBODY)), expect=raw.INVALID_OWNER)
        check(os.listdir(ROOT) == ["new"], f"left: {os.listdir(ROOT)}")


@suite.test("links-within-the-share", lacks={**C_LACKS, "ours-module": "the stock daemon does not pass `follow symlinks` on"})
def links_within(_server):
    """A link leads wherever in the share it points, however it is spelled, and nowhere else."""
    empty()
    os.makedirs(f"{ROOT}/Folder/Below")
    os.mkdir(f"{ROOT}/other")
    machine.write(f"{ROOT}/other/file", "there")
    machine.write("/srv/smb/secret", "secret")
    for name, to in (("up", "../../other"), ("beside", "../../other/file"), ("out", "../../../secret"), ("outside", "../../../../smb")):
        os.symlink(to, f"{ROOT}/Folder/Below/{name}")
    with Files("links") as client:
        for name in ("Folder\\Below\\up\\file", "folder\\below\\UP\\FILE", "Folder\\Below\\beside", "FOLDER\\BELOW\\BESIDE"):
            try:
                file = client.open(name)
            except Failure as failure:
                raise Failure(f"{name}: {failure}") from failure
            check(client.get(file, 0, 5) == b"there", f"{name}: another file")
            client.shut(file)
        for name in ("Folder\\Below\\out", "folder\\below\\OUT", "Folder\\Below\\outside\\secret", "folder\\below\\OUTSIDE\\secret"):
            answer = client.open(name, expect=None)
            status = struct.unpack_from("<I", answer, 8)[0]
            check(status in (0xC0000034, 0xC000003A), f"{name}: {status:#010x}")
        folder = client.open("Folder\\Below", options=raw.DIRECTORY)
        names = client.listing(folder)
        check(names == [".", "..", "beside", "up"], f"listed: {names}")
        client.shut(folder)
    with Files("share") as client:
        client.open("Folder\\Below\\beside", expect=raw.NAME_NOT_FOUND)


@suite.test("trim-is-announced", lacks=C_LACKS)
def trim_is_announced(_server):
    """Whether the disk takes back space is told as the kernel knows it."""
    with open("/sys/block/vda/queue/discard_max_bytes", encoding="ascii") as file:
        trims = int(file.read()) > 0
    with Files("share") as client:
        folder = client.open("", options=raw.DIRECTORY)
        flags = struct.unpack_from("<I", client.query_info(folder, 2, 11), 16)[0]
        check(bool(flags & 8) == trims, f"flags {flags:#x} where the disk {'trims' if trims else 'does not trim'}")
        client.shut(folder)


@suite.test("frozen-times", lacks=C_LACKS)
def frozen_times(_server):
    """A time that a client froze for its handle stays, however it writes, until it lets it go."""
    fresh("file")
    old = 1_000_000_000
    os.utime(f"{ROOT}/file", (old, old))

    def times(last_write):
        return struct.pack("<qqqqII", 0, 0, last_write, 0, 0, 0)

    with Files("share") as client:
        file = client.open("file", raw.READS | raw.WRITES)
        client.set_info(file, 1, 4, times(-1))
        client.put(file, 0, b"x")
        client.set_info(file, 1, 20, struct.pack("<Q", 3))
        check(os.stat(f"{ROOT}/file").st_mtime == old, "a frozen time went on")
        client.set_info(file, 1, 4, times(-2))
        client.put(file, 0, b"y")
        check(os.stat(f"{ROOT}/file").st_mtime > old, "a time that was let go stands still")
        client.shut(file)


@suite.test("allocation", lacks=C_LACKS)
def allocation(_server):
    """Space that is reserved is taken, and given back when less is asked for; what is in the file stays."""
    fresh("file", "12345")
    with Files("share") as client:
        file = client.open("file", raw.READS | raw.WRITES)
        for size, blocks in ((1 << 20, 2048), (5, 8)):
            client.set_info(file, 1, 19, struct.pack("<Q", size))
            seen = os.stat(f"{ROOT}/file")
            check(seen.st_size == 5, f"{size} reserved: the file has {seen.st_size} bytes")
            check(seen.st_blocks >= blocks and seen.st_blocks < blocks * 2, f"{size} reserved: {seen.st_blocks} blocks")
        client.shut(file)


@suite.test("rename-stream", lacks=C_LACKS)
def rename_stream(_server):
    """A stream gets another name, and takes that of another stream only if nothing is lost by it."""
    fresh("file")
    with Files("share") as client:
        access = raw.READS | raw.WRITES | raw.DELETE
        for name, content in (("full", b"full"), ("empty", b"")):
            stream = client.open(f"file:{name}", access, raw.MAKE)
            client.put(stream, 0, content)
            client.shut(stream)
        stream = client.open("file:one", access, raw.MAKE)
        other = client.open("FILE:ONE")
        client.put(stream, 0, b"content")
        client.rename(stream, ":full", expect=raw.NAME_COLLISION)
        client.rename(stream, ":full", replace=True, expect=raw.INVALID_PARAMETER)
        client.rename(stream, ":empty", replace=True)
        client.rename(stream, ":Two:$DATA")
        check(client.get(other, 0, 7) == b"content", "who had it open lost it")
        client.open("file:one", expect=raw.NAME_NOT_FOUND)
        client.open("file:empty", expect=raw.NAME_NOT_FOUND)
        client.put(stream, 7, b"!")
        client.shut(other)
        client.shut(stream)
        again = client.open("file:two")
        check(client.get(again, 0, 8) == b"content!", "its content did not come with it")
        client.shut(again)
    kept = sorted(os.listxattr(f"{ROOT}/file"))
    check([name for name in kept if "Stream" in name] == ["user.DosStream.Two:$DATA", "user.DosStream.full:$DATA"], f"kept: {kept}")


@suite.test("streams-are-seen", lacks=C_LACKS)
def streams_are_seen(_server):
    """Who watches for streams is told when one comes, changes and goes."""
    fresh("file")
    with Files("share") as watcher, Files("share") as writer:
        folder = watcher.open("", raw.READS, options=raw.DIRECTORY)
        for words, action, change in (
            ("came", 6, lambda: writer.shut(writer.open("file:s", raw.WRITES, raw.MAKE))),
            ("changed", 8, lambda: writer.put(writer.open("file:s", raw.WRITES), 0, b"x")),
            ("went", 7, lambda: writer.log_off()),
        ):
            if words == "went":
                writer.delete(writer.open("file:s", raw.DELETE))
            message = watcher.watch(folder, 0xE00)
            change()
            seen = watcher.changes(message)
            check(seen == [(action, "file:s")], f"{words}: {seen}")


@suite.test("append-to-stream", lacks=C_LACKS)
def append_to_stream(_server):
    """The same for a stream."""
    fresh("file")
    with Files("share") as client:
        stream = client.open("file:s", raw.WRITES, raw.MAKE)
        client.put(stream, 0, b"12345")
        client.shut(stream)
        stream = client.open("file:s", raw.APPEND_DATA | raw.READ_ATTRIBUTES)
        for byte in (b"6", b"7"):
            client.put(stream, 0xFFFFFFFFFFFFFFFF, byte)
        client.put(stream, 0, b"x")
        client.shut(stream)
        stream = client.open("file:s")
        check(client.get(stream, 0, 7) == b"x234567", "the stream is not what was written")
        client.shut(stream)


@suite.test("names-in-any-case", lacks=C_LACKS)
def names_in_any_case(_server):
    """Names are found in any case of letters whoever changes the directory, again and again: nothing that the server remembers of
    a directory outlives a change."""
    empty()
    os.mkdir(f"{ROOT}/many")
    os.mkdir(f"{ROOT}/other")
    for path in (f"{ROOT}/many", f"{ROOT}/other"):
        own(path)
    for index in range(400):
        machine.write(f"{ROOT}/many/File{index}", "")
    with Files("share") as client:

        def check_names(there, absent):
            for name in absent:
                client.open(f"many\\{name}", expect=raw.NAME_NOT_FOUND)
            for name in there:
                client.shut(client.open(f"many\\{name}"))

        check_names(["File1", "FILE1", "file399"], ["file400", "FILE400"])
        # What local programs do is seen at once.
        machine.write(f"{ROOT}/many/Local", "")
        check_names(["LOCAL", "local"], ["locale"])
        os.rename(f"{ROOT}/many/Local", f"{ROOT}/many/Moved")
        check_names(["MOVED"], ["LOCAL"])
        os.unlink(f"{ROOT}/many/Moved")
        check_names([], ["MOVED", "moved"])
        # And what the client does.
        for round in range(40):
            client.shut(client.open(f"many\\New{round}", raw.READS | raw.WRITES, raw.MAKE))
            check_names([f"NEW{round}"], [f"NEW{round + 1}"])
        client.open("many\\NEW7", raw.READS, raw.MAKE, expect=raw.NAME_COLLISION)
        name = client.open("many\\NEW7", raw.READS | raw.DELETE)
        client.rename(name, "many\\nEXT")
        check_names(["next", "NEXT"], ["NEW7", "new7"])
        client.rename(name, "other\\Away")
        check_names([], ["nEXT", "NEXT"])
        client.shut(client.open("other\\AWAY"))
        client.rename(name, "many\\NEW7")
        check_names(["new7"], [])
        client.delete(name)
        client.shut(name)
        check_names([], ["new7", "NEW7"])
        client.shut(client.open("many\\Folder", raw.READS, raw.MAKE, raw.DIRECTORY))
        check_names(["FOLDER"], [])
        # Names that are not of ASCII, and an 8.3 name.
        client.shut(client.open("many\\Größe", raw.READS | raw.WRITES, raw.MAKE))
        check_names(["GRÖßE", "größe"], ["Grösse", "new~1"])
        # Both of two that differ in case alone stay what they are.
        machine.write(f"{ROOT}/many/FILE5", "upper")
        own(f"{ROOT}/many/FILE5")
        name = client.open("many\\FILE5", raw.READS | raw.DELETE)
        check(client.get(name, 0, 8) == b"upper", "the other of two was opened")
        client.delete(name)
        client.shut(name)
        check(os.path.exists(f"{ROOT}/many/File5"), "the wrong one of two went")
        check_names(["fILE5"], [])


@suite.test("names-that-may-not-be-listed", lacks=C_LACKS)
def names_that_may_not_be_listed(_server):
    """Who may not list a directory finds in it only what he can spell, also when somebody else asked for the same just now."""
    empty()
    os.mkdir(f"{ROOT}/closed")
    machine.write(f"{ROOT}/closed/Secret", "")
    own(f"{ROOT}/closed")
    os.chmod(f"{ROOT}/closed", 0o711)
    with Files("share") as owner, Files("share", machine.OTHER, machine.OTHER_PASSWORD) as other:
        owner.open("closed\\absent", expect=raw.NAME_NOT_FOUND)
        owner.shut(owner.open("closed\\SECRET"))
        other.open("closed\\SECRET", expect=raw.NAME_NOT_FOUND)
        other.shut(other.open("closed\\Secret"))
