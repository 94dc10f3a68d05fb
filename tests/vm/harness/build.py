# SPDX-License-Identifier: GPL-2.0
"""Builds the module against the stock kernel, the programs, and the module tree that the guest loads from."""

import contextlib
import fcntl
import filecmp
import hashlib
import os
import shutil
import subprocess
import time

from report import Stop, say

SRC, BUILD, KERNEL = "/src", "/build", "/k"
MODULE_DIR = f"{BUILD}/module"
TOOLS_DIR = f"{BUILD}/tools"
CLIENTS_DIR = f"{BUILD}/clients"
PROGRAMS = ("mountd", "control", "adduser", "addshare")
# Programs of the tests, which run in the guest.
CLIENTS = ("ksmbd-hostile", "ksmbd-load")


def release():
    with open(f"{KERNEL}/release", encoding="utf-8") as file:
        return file.read().strip()


def is_debug():
    """Whether /k is the debug kernel (roots/debug.sh)."""
    return os.environ.get("KSMBD_FLAVOUR") == "debug"


def make_flags():
    """What every build against this kernel needs, e.g. another compiler; the debug kernel leaves a file of it."""
    try:
        with open(f"{KERNEL}/make-flags", encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def jobs():
    return os.environ.get("KSMBD_JOBS") or str(len(os.sched_getaffinity(0)))


@contextlib.contextmanager
def alone():
    """One build at a time in build/: a second run waits instead of tearing the first one's products apart."""
    with open(f"{BUILD}/lock", "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build in this tree")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(what, *args, quiet=False, **options):
    """Runs a build step; its failure is a sentence (its own messages precede it)."""
    if quiet:
        result = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
        if result.returncode != 0:
            print(result.stdout, flush=True)
    else:
        result = subprocess.run(args, check=False, **options)
    if result.returncode != 0:
        raise Stop(f"{what} failed (the messages above say why).")
    return result


def copy_sources(target):
    """A copy of the module's sources to build in: the tree itself stays clean. Files that did not change keep their time."""
    if not os.path.exists(f"{SRC}/Kbuild"):
        raise Stop("there is no Kbuild in this tree yet, so no module can be built.")
    os.makedirs(target, exist_ok=True)
    call(
        "copying the sources", "rsync", "-a", "--no-times", "--checksum", "--delete", "--prune-empty-dirs",
        # Products of a build here, and of a build in place there.
        *[f"--filter=P {name}" for name in PRODUCTS],
        *[f"--exclude={name}" for name in PRODUCTS],
        "--include=/Kbuild", "--include=/Kconfig", "--include=/src/***", "--exclude=*",
        f"{SRC}/", f"{target}/",
    )


PRODUCTS = ("*.o", "*.ko", "*.cmd", ".*.cmd", "*.rmeta", "*.mod", "*.mod.c", "modules.order", "Module.symvers", "bindings.rs", ".*.d", "*.d", ".module-common.o", "*.symversions")


def kbuild(directory, *extra, quiet=False, what="building ksmbd.ko"):
    return call(
        what, "make", "-C", f"{KERNEL}/obj", f"M={directory}", f"KERNELRELEASE={release()}", f"-j{jobs()}", *make_flags(), *extra, quiet=quiet,
    )


def module():
    """build/module/ksmbd.ko, and build/ksmbd.ko for the user."""
    say(f"building ksmbd.ko for {release()}")
    with alone():
        _module()


def forget_other_kernel(directory):
    """Removes what was built for or copied of another kernel: its files are older than the objects, so that make would take them for good."""
    with open(f"{KERNEL}/obj/.config", "rb") as file:
        identity = f"{release()} {hashlib.sha256(file.read()).hexdigest()}"
    stamp = f"{directory}.kernel"
    if not (os.path.exists(stamp) and open(stamp, encoding="utf-8").read() == identity):
        shutil.rmtree(directory, ignore_errors=True)
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(identity)


def _module():
    forget_other_kernel(MODULE_DIR)
    copy_sources(MODULE_DIR)
    kbuild(MODULE_DIR, "modules")
    shutil.copy2(f"{MODULE_DIR}/ksmbd.ko", f"{BUILD}/ksmbd.ko")
    # For `make install`, which works without the toolchain root.
    with open(f"{BUILD}/release", "w", encoding="utf-8") as file:
        file.write(release() + "\n")


def cargo(*args, what, env=None, **options):
    """Cargo on the workspace, its products below build/."""
    return call(what, "cargo", *args, cwd=SRC, env={**os.environ, "CARGO_TARGET_DIR": f"{BUILD}/cargo", **(env or {})}, **options)


def locked():
    """The lock file binds when there is one; the source tree is read-only here."""
    return ["--locked"] if os.path.exists(f"{SRC}/Cargo.lock") else []


def tools():
    """build/tools/ksmbd.{mountd,control,adduser,addshare}. Cargo allows no dot in a program's name."""
    if not os.path.exists(f"{SRC}/Cargo.toml"):
        raise Stop("there is no Cargo.toml in this tree yet, so no programs can be built.")
    say("building the programs")
    with alone():
        _tools()


def _tools():
    cargo("build", "--release", "--bins", *locked(), what="building the programs (is the crates registry reachable?)")
    os.makedirs(TOOLS_DIR, exist_ok=True)
    for name in PROGRAMS:
        built = f"{BUILD}/cargo/release/ksmbd-{name}"
        if not os.path.exists(built):
            raise Stop(f"the build made no program ksmbd-{name}.")
        target = f"{TOOLS_DIR}/ksmbd.{name}"
        if not (os.path.exists(target) and filecmp.cmp(built, target, shallow=False)):
            shutil.copy2(built, target)
    # The unit, for programs that lie where the guest has them.
    with open(f"{SRC}/mountd/ksmbd.service.in", encoding="utf-8") as template, open(f"{TOOLS_DIR}/ksmbd.service", "w", encoding="utf-8") as unit:
        unit.write(template.read().replace("@SBINDIR@", "/host/tools"))
    # Manuals and completions, from the same definitions of the command lines.
    cargo("build", "--release", "-p", "ksmbd-tools", "--example", "manual", *locked(), what="building the manuals")
    shutil.rmtree(f"{BUILD}/manual", ignore_errors=True)
    call("writing the manuals", f"{BUILD}/cargo/release/examples/manual", f"{BUILD}/manual")


def clients():
    """build/clients/*: what attacks the server and measures it."""
    say("building the tests' own clients")
    with alone():
        packages = [word for name in CLIENTS for word in ("-p", name)]
        cargo("build", "--release", *packages, *locked(), what="building the tests' clients (is the crates registry reachable?)")
        os.makedirs(CLIENTS_DIR, exist_ok=True)
        for name in CLIENTS:
            built, target = f"{BUILD}/cargo/release/{name}", f"{CLIENTS_DIR}/{name}"
            if not (os.path.exists(target) and filecmp.cmp(built, target, shallow=False)):
                shutil.copy2(built, target)


def stage(server, folder):
    """Copies what the guest runs into `folder`: a later build does not touch a machine that is up."""
    with alone():
        shutil.copytree(module_tree(server in ("ours", "ours-module")), f"{folder}/modules", symlinks=True)
        if server in ("ours", "ours-tools"):
            shutil.copytree(TOOLS_DIR, f"{folder}/tools")
        if os.path.isdir(CLIENTS_DIR):
            shutil.copytree(CLIENTS_DIR, f"{folder}/clients")


def module_tree(with_ours):
    """The modules that a guest sees: the stock ones, and ours below updates/ as `make install` would put it."""
    name = release()
    tree = f"{BUILD}/modules-{'ours' if with_ours else 'stock'}"
    ours = f"{tree}/lib/modules/{name}/updates/ksmbd.ko"
    forget_other_kernel(tree)
    if not os.path.isdir(tree):
        shutil.rmtree(f"{tree}.tmp", ignore_errors=True)
        shutil.copytree(f"{KERNEL}/guest-modules", f"{tree}.tmp", symlinks=True)
        os.rename(f"{tree}.tmp", tree)
    if with_ours and not (os.path.exists(ours) and filecmp.cmp(f"{BUILD}/ksmbd.ko", ours, shallow=False)):
        os.makedirs(os.path.dirname(ours), exist_ok=True)
        shutil.copy2(f"{BUILD}/ksmbd.ko", ours)
        call("depmod", "depmod", "-b", tree, name)
    return tree


def for_server(server):
    """Builds what tests against `server` need."""
    if server in ("ours", "ours-module"):
        module()
    if server in ("ours", "ours-tools"):
        tools()


def attempt(report, server, with_clients=False):
    """for_server() as named tests, and the clients that suites need."""
    steps = [("build.clients", clients)] if with_clients else []
    if server in ("ours", "ours-module"):
        steps.append(("build.module", module))
    if server in ("ours", "ours-tools"):
        steps.append(("build.tools", tools))
    good = True
    for name, step in steps:
        start = time.monotonic()
        try:
            step()
            report.verdict(name, "pass", time.monotonic() - start)
        except Stop as reason:
            report.verdict(name, "fail", time.monotonic() - start, str(reason))
            good = False
    return good


def doc():
    """Documentation of the crates that cargo can build."""
    cargo("doc", "--no-deps", "--document-private-items", *locked(), what="making the documentation")
    say("the documentation is in build/cargo/doc")
