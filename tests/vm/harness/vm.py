# SPDX-License-Identifier: GPL-2.0
"""Boots the stock kernel in an emulated machine on a read-only guest root, and listens to it.

The root is a virtiofs of the cached guest; a second virtiofs, `host`, brings the guest's programs, the modules, the tools and the job,
and takes the results. No initramfs, no KVM: the stock kernel runs under TCG everywhere alike.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import build
import data
import symbols
from report import Stop, say

sys.path.insert(0, "/src/tests/vm/guest")

from lib.klog import KernelLog  # noqa: E402

VIRTIOFSD = "/usr/libexec/virtiofsd"
BOOT_SECONDS = 180
# With every check of the debug kernel an emulated machine takes that many times as long, and more memory, in MiB.
DEBUG_PATIENCE, DEBUG_MEMORY = 10, 1024
# Has the kernel fill free objects with 0x6b and free pages with 0xaa, which the hostile client looks for in what it receives.
FILL = "page_poison=1 slab_debug=P,kmalloc-*"
# What the console has before each line of the kernel.
STAMP = re.compile(r"^\[ *\d+\.\d+\] ")


def patience():
    """What every wait in the guest, and for it, is multiplied with."""
    return DEBUG_PATIENCE if build.is_debug() else 1


def _make_work(job, server):
    """The folder that the guest sees as /host, made of bind mounts (this mount namespace ends with us)."""
    work = tempfile.mkdtemp(prefix="vm-", dir="/run")
    os.chmod(work, 0o755)
    build.stage(server, work)
    for name, source in {"guest": "/src/tests/vm/guest", "expect": "/src/tests/expect", "data": data.FOLDER}.items():
        os.makedirs(f"{work}/{name}")
        subprocess.run(["mount", "--bind", source, f"{work}/{name}"], check=True)
    with open(f"{work}/job.json", "w", encoding="utf-8") as file:
        json.dump({**job, "server": server, "patience": patience(), "debug": build.is_debug()}, file)
    return work


class Machine:
    """One emulated machine with its file servers. Use as a context manager: leaving it ends every process of it."""

    def __init__(self, name, job, server, memory=1536, cpus=2, disk="0", interactive=False, icount=False, boot=1, fill=False):
        """With `icount`, one processor whose clock is the count of its instructions: what the guest measures does not depend on the host.
        `boot` tells one boot from the next where a machine has several."""
        self.log_name = f"console-{name}{'' if boot == 1 else f'.{boot}'}.log"
        self.name, self.interactive = name, interactive
        # virtiofsd writes into the guest's memory unseen by the emulator, which then runs what it translated before of a page that had
        # another program in it. The guest itself must have written to each page that it takes: with zeros, or with a pattern when it
        # frees it. Debian's kernel does the former by default, the debug kernel does not.
        self.parameters = FILL if fill and not build.is_debug() else "init_on_alloc=1"
        self.clock = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"] if icount else ["-accel", "tcg,thread=multi"]
        # A string instruction counts once for each element it moves: without the byte-wise variants, copying costs one count for 8 bytes,
        # which is nearer to a real processor than one for each byte.
        self.model = "max,erms=off,fsrm=off,fsrs=off,fsrc=off,fzrm=off" if icount else "max"
        if build.is_debug():
            # identify_cpu() forgets for a moment that there are five levels of page tables; an interrupt in it has KASAN report a wild
            # access, and lockdep switch itself off, before anything has begun.
            self.model += ",la57=off"
        self.memory, self.cpus, self.disk = memory + (DEBUG_MEMORY if build.is_debug() else 0), cpus, disk
        self.folder = tempfile.mkdtemp(prefix="qemu-", dir="/run")
        self.work = _make_work(job, server)
        self.console = f"{self.folder}/console.log"
        self.events = f"{self.folder}/events"
        self.children = []
        self.qemu = None
        self.disk_file = None

    def _share(self, tag, folder):
        """A folder that the guest sees under `tag`, read-only. Nobody changes it meanwhile, so the guest never drops what it has read."""
        socket = f"{self.folder}/{tag}.sock"
        log = open(f"{self.folder}/{tag}.log", "wb")
        args = [VIRTIOFSD, "--socket-path", socket, "--shared-dir", folder, "--sandbox=none", "--thread-pool-size=2", "--inode-file-handles=never",
                "--log-level=error", "--cache=always", "--readonly"]
        self.children.append(subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return ["-chardev", f"socket,id={tag},path={socket}", "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]

    def __enter__(self):
        args = [
            "qemu-system-x86_64", "-name", self.name, *self.clock, "-cpu", self.model, "-smp", str(self.cpus), "-m", f"{self.memory}M",
            "-machine", "q35,memory-backend=ram,smm=off", "-object", f"memory-backend-memfd,id=ram,size={self.memory}M,share=on",
            "-nodefaults", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci",
            "-kernel", f"{build.KERNEL}/vmlinuz",
            # KUnit suites run when the test for them says so, and not at each loading of the module.
            "-append", f"{'kunit.filter_glob=none ' if build.is_debug() else ''}{self.parameters} console=ttyS0 root=root rootfstype=virtiofs ro panic=-1 loglevel=7 net.ifnames=0 nokaslr no_timer_check log_buf_len=8M "
            "init=/bin/sh -- -c \"mount -t virtiofs host /host; exec /host/guest/init\"",
        ]
        args += self._share("root", "/guest") + self._share("host", self.work)
        if self.disk != "0":
            os.makedirs("/build/disks", exist_ok=True)
            fd, self.disk_file = tempfile.mkstemp(dir="/build/disks")
            os.close(fd)
            subprocess.run(["truncate", "-s", self.disk, self.disk_file], check=True)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", self.disk_file], check=True)
            args += ["-drive", f"if=none,id=disk,file={self.disk_file},format=raw,cache=unsafe,discard=unmap", "-device", "virtio-blk-pci,drive=disk"]
        if self.interactive:
            args += ["-chardev", f"stdio,id=con,mux=on,signal=off,logfile={self.console}", "-serial", "chardev:con"]
        else:
            args += ["-chardev", f"file,id=con,path={self.console}", "-serial", "chardev:con"]
        args += ["-chardev", f"file,id=events,path={self.events}", "-serial", "chardev:events"]
        open(self.events, "wb").close()
        open(self.console, "wb").close()
        self.qemu_log = open(f"{self.folder}/qemu.log", "wb")
        for child_socket in ("root", "host"):
            end = time.monotonic() + 20
            while not os.path.exists(f"{self.folder}/{child_socket}.sock"):
                if time.monotonic() > end or any(child.poll() is not None for child in self.children):
                    raise Stop(f"virtiofsd made no socket within 20 s: {self._read(child_socket + '.log')}")
                time.sleep(0.02)
        self.qemu = subprocess.Popen(
            args, stdin=None if self.interactive else subprocess.DEVNULL, stdout=None if self.interactive else self.qemu_log, stderr=self.qemu_log,
        )
        self.children.append(self.qemu)
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM if child is not self.qemu else signal.SIGKILL)
        for child in self.children:
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self.disk_file:
            os.unlink(self.disk_file)
        subprocess.run(f"umount -l {self.work}/* 2>/dev/null; true", shell=True, check=False)
        keep = f"{build.BUILD}/log"
        os.makedirs(keep, exist_ok=True)
        shutil.copyfile(self.console, f"{keep}/{self.log_name}")

    def _read(self, name):
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def last_console(self, lines=30):
        """What the machine said of its end: from the first line on that is bad since the last test began, or else the last `lines`. If
        it said nothing, why QEMU could not."""
        text = self._read("console.log").replace("\r", "").strip() or self._read("qemu.log")
        said = [STAMP.sub("", line) for line in text.splitlines()]
        begun = max((index for index, line in enumerate(said) if line.startswith("ksmbd-test: begin ")), default=0)
        bad = KernelLog.bad(said[begun:])
        # What is cut off the end of many bad lines may be what it died of.
        shown = bad + ([] if bad == said[-len(bad) :] else ["...", *said[-10:]]) if bad else said[-lines:]
        where = f"build/{'debug/' if build.is_debug() else ''}log/{self.log_name}"
        return f"the console ({where}) says:\n" + "\n".join(shown)

    def listen(self, quiet_limit):
        """Yields the guest's events. `quiet_limit()` gives the moment after which silence means that it hangs.
        Ends with an event `dead` (it ended without saying so) or `hung`."""
        with open(self.events, "rb") as file:
            rest = b""
            while True:
                ended = self.qemu.poll() is not None
                chunk = file.read()
                rest += chunk
                while b"\n" in rest:
                    line, rest = rest.split(b"\n", 1)
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    yield event
                    if event["event"] in ("done", "broken", "reboot"):
                        return
                if chunk:
                    continue
                if ended:
                    yield {"event": "dead"}
                    return
                if time.monotonic() > quiet_limit():
                    yield {"event": "hung"}
                    return
                time.sleep(0.05)


def run_tests(report, suite, tests, server):
    """Runs `tests` of `suite`, in as many boots as it takes, and reports each."""
    left = [test.name for test in tests]
    closing = {test.name for test in tests if test.is_closing}
    # Those of the boots of a run before, which may have been more.
    for old in glob.glob(f"{build.BUILD}/log/console-{suite.name}-{server}.[0-9].log"):
        os.unlink(old)
    boots = 0
    while left:
        if closing.issuperset(left):
            for name in left:
                report.verdict(name, "skip", why="the machine of the tests before it did not live so long")
            return
        boots += 1
        if boots > 6:
            for name in left:
                report.verdict(name, "fail", why=f"not run: the machine of suite {suite.name} ended {boots - 1} times before.")
            return
        left = _one_boot(report, suite, left, server, boots)


def _one_boot(report, suite, names, server, boot):
    """Boots, for the `boot`-th time, and runs `names`; returns those that must run in another boot."""
    left = list(names)
    running = None
    limit = [time.monotonic() + BOOT_SECONDS * patience()]
    job = {"mode": "tests", "suite": suite.name, "tests": names}
    with Machine(f"{suite.name}-{server}", job, server, suite.memory, suite.cpus, suite.disk, boot=boot, fill=suite.fill) as machine:
        for event in machine.listen(lambda: limit[0]):
            kind = event["event"]
            if kind == "begin":
                running = event["test"]
                # Its own timeout ends it in the guest; this is for a guest that no longer can.
                limit[0] = time.monotonic() + event["timeout"] + 240 * patience()
            elif kind == "end":
                report.verdict(event["test"], event["verdict"], event["seconds"], symbols.told(event["why"]))
                left.remove(event["test"])
                running = None
                limit[0] = time.monotonic() + 300 * patience()
            elif kind == "log":
                report.note(event["text"])
            elif kind == "done":
                for name in left:
                    report.verdict(name, "fail", why="the guest ended without running it.")
                return []
            elif kind == "reboot":
                return left
            else:
                reason = {
                    "dead": "the machine ended",
                    "hung": "the machine hung: nothing was heard of it for longer than the test's timeout" if running else "the machine did not get to its first test in time",
                    "broken": "the guest's runner failed: " + event.get("why", ""),
                }[kind]
                guilty = running or left[0]
                report.verdict(guilty, "fail", why=f"{reason} {'while this test ran' if running else 'before this test began'}; {symbols.told(machine.last_console())}")
                left.remove(guilty)
                return left
    return left


def interactive(mode, server):
    """make run and make shell: the console is the user's terminal."""
    job = {"mode": {"run": "demo", "shell": "shell"}[mode]}
    status = 1
    data.prepare()
    say(f"booting the stock kernel {build.release()} in QEMU (TCG)")
    with Machine(mode, job, server, interactive=mode == "shell", memory=2048, disk="2G") as machine:
        if mode == "shell":
            machine.qemu.wait()
            return 0
        limit = time.monotonic() + 900
        for event in machine.listen(lambda: limit):
            if event["event"] == "log":
                print(event["text"], flush=True)
            elif event["event"] == "end":
                status = 0 if event["verdict"] == "pass" else 1
            elif event["event"] in ("dead", "hung", "broken"):
                raise Stop(f"the virtual machine did not finish ({event['event']}): {event.get('why', '')}\n{machine.last_console()}")
    return status
