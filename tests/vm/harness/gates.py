# SPDX-License-Identifier: GPL-2.0
"""The gates: what must hold of every source file and object before any of it runs."""

import concurrent.futures
import difflib
import os
import re
import shutil
import subprocess
import time

import advisories
import build
import licences
from report import Stop, say

SRC, BUILD = build.SRC, build.BUILD
RUSTFMT = ["rustfmt", "--edition", "2021", "--config-path", f"{BUILD}/rustfmt"]
SKIP_FOLDERS = {".git", "build", "target", "__pycache__"}
# Kinds of files that carry an SPDX line; data and formats without comments do not.
SPDX_SUFFIXES = (".rs", ".c", ".h", ".py", ".sh", ".toml", ".yml", ".yaml", ".conf", ".packages", ".rst", ".md", ".8", ".5", ".service", ".tsv")
SPDX_NAMES = ("Makefile", "Kbuild", "Kconfig", "ksmbd-vm", "init", "run")


def sources(*suffixes, below=""):
    """Files of the tree, relative to it, with one of the suffixes."""
    found = []
    for path, folders, files in os.walk(f"{SRC}/{below}"):
        folders[:] = sorted(name for name in folders if name not in SKIP_FOLDERS)
        found += [os.path.relpath(f"{path}/{name}", SRC) for name in sorted(files) if name.endswith(suffixes)]
    return [name for name in found if not name.endswith("src/linux/sys/bindings.rs")]


def read(name):
    with open(f"{SRC}/{name}", encoding="utf-8") as file:
        return file.read()


def rustfmt_config():
    os.makedirs(f"{BUILD}/rustfmt", exist_ok=True)
    shutil.copy(f"{build.KERNEL}/src/.rustfmt.toml", f"{BUILD}/rustfmt/.rustfmt.toml")


def formatted(name):
    """(the file's text, its text as rustfmt writes it). Through standard input, so that one file is one file: the modules it names are
    in the list themselves."""
    text = read(name)
    result = subprocess.run(RUSTFMT, input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Stop(f"rustfmt cannot read {name}: {result.stderr.strip()[:400]}")
    return text, result.stdout


def rustfmt():
    """Formatted as the kernel formats."""
    rustfmt_config()
    problems = []
    names = sources(".rs")
    with concurrent.futures.ThreadPoolExecutor(int(build.jobs())) as pool:
        results = list(pool.map(formatted, names))
    for name, (text, want) in zip(names, results):
        if text != want:
            diff = difflib.unified_diff(text.splitlines(), want.splitlines(), lineterm="", n=0)
            problems.append(f"{name}: " + " / ".join(list(diff)[2:6]))
    return problems


def format_sources():
    """make fmt: writes what rustfmt says back into the tree (which is writable for this one command)."""
    rustfmt_config()
    for name in sources(".rs"):
        text, want = formatted(name)
        if text != want:
            say(f"formatting {name}")
            with open(f"{SRC}/{name}", "w", encoding="utf-8") as file:
                file.write(want)


# Where unsafe code may be. clippy checks the second folder's SAFETY comments, gate.safety-comments the first's.
UNSAFE = ("src/linux/", "mountd/gss/src/")


def unsafe_below_linux():
    """`unsafe` is written below src/linux/ only, and in the programs' binding to Kerberos (and in no comment's disguise:
    comments and strings do not count)."""
    problems = []
    for name in sources(".rs"):
        if name.startswith(UNSAFE):
            continue
        for number, line in enumerate(strip_comments(read(name)).splitlines(), 1):
            if re.search(r"\bunsafe\b(?!_)", line):
                problems.append(f"{name}:{number}: {line.strip()}")
    return problems


def strip_comments(text):
    """Rust source without comments and string contents, its lines kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"'
    return re.sub(pattern, lambda match: '""' if match[0][0] == '"' else "\n" * match[0].count("\n"), text, flags=re.DOTALL)


def safety_comments():
    """Every unsafe block and impl below src/linux/ states the fact it relies on; every unsafe fn its contract."""
    problems = []
    for name in sources(".rs", below="src/linux"):
        lines = read(name).splitlines()
        for index, line in enumerate(lines):
            code = strip_comments(line)
            if re.search(r"\bunsafe\s*(\{|impl\b)", code) and not any("SAFETY:" in above for above in lines[max(0, index - 12) : index + 1]):
                problems.append(f"{name}:{index + 1}: {line.strip()}")
    return problems


def spdx():
    """An SPDX line near the head of every file that can carry one."""
    problems = []
    for path, folders, files in os.walk(SRC):
        folders[:] = sorted(name for name in folders if name not in SKIP_FOLDERS)
        for name in sorted(files):
            if not (name.endswith(SPDX_SUFFIXES) or name in SPDX_NAMES):
                continue
            full = f"{path}/{name}"
            if full.endswith("src/linux/sys/bindings.rs"):
                continue
            with open(full, encoding="utf-8", errors="replace") as file:
                head = [next(file, "") for _ in range(4)]
            if not any("SPDX-License-Identifier: GPL-2.0" in line for line in head):
                problems.append(os.path.relpath(full, SRC))
    return problems


def no_panics():
    """The proto and model objects refer to no panicking function: malformed input cannot stop the kernel."""
    problems = []
    objects = ["src/proto/smb_proto.o", "src/model/smb_model.o"]
    with build.alone():
        build.copy_sources(build.MODULE_DIR)
        build.kbuild(build.MODULE_DIR, *objects, quiet=True, what="building the proto and model objects")
    for name in objects:
        symbols = subprocess.run(["nm", "--demangle", f"{build.MODULE_DIR}/{name}"], capture_output=True, text=True, check=True).stdout
        problems += [f"{name}: {line.strip()}" for line in symbols.splitlines() if "panicking" in line or "panic_" in line]
    return problems


def clippy_kernel():
    """clippy over the module's crates as Kbuild compiles them, in a build folder of its own."""
    with build.alone():
        return _clippy_kernel()


def _clippy_kernel():
    folder = f"{BUILD}/clippy"
    build.copy_sources(folder)
    result = subprocess.run(
        ["make", "-C", f"{build.KERNEL}/obj", f"M={folder}", f"KERNELRELEASE={build.release()}", f"-j{build.jobs()}", "CLIPPY=1", "modules"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    log = f"{BUILD}/clippy.log"
    text = result.stdout
    # A crate whose object is up to date says nothing: its warnings of the last time still hold.
    if result.returncode == 0 and not re.search(r"^\s+(RUSTC|CLIPPY)", text, re.MULTILINE) and os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            text = file.read()
    else:
        with open(log, "w", encoding="utf-8") as file:
            file.write(text)
    if result.returncode != 0:
        return text.splitlines()[-40:]
    return warnings(text)


def warnings(text):
    """The places of a compiler's warnings."""
    found, lines = [], text.splitlines()
    for index, line in enumerate(lines):
        if re.match(r"(warning|error)(\[.*\])?: ", line) and not re.match(r"warning: .* generated \d+ warning", line):
            where = next((near.strip() for near in lines[index : index + 4] if near.strip().startswith("-->")), "")
            found.append(f"{line} {where}")
    return found


def clippy_user():
    """clippy over the workspace, tests included."""
    result = subprocess.run(
        ["cargo", "clippy", "--workspace", "--all-targets", "--quiet", *build.locked(), "--", "-D", "warnings"],
        cwd=SRC, env={**os.environ, "CARGO_TARGET_DIR": f"{BUILD}/cargo"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    return [] if result.returncode == 0 else (warnings(result.stdout) or result.stdout.splitlines()[-40:])


GATES = {
    "gate.spdx": spdx,
    "gate.rustfmt": rustfmt,
    "gate.unsafe": unsafe_below_linux,
    "gate.safety-comments": safety_comments,
    "gate.no-panics": no_panics,
    "gate.clippy-kernel": clippy_kernel,
    "gate.clippy-user": clippy_user,
    "gate.licences": licences.problems,
}


def run(report):
    """Each gate as a named test."""
    for name, gate in GATES.items():
        judge(report, name, gate)
    advisories.run(report)


def judge(report, name, gate):
    start = time.monotonic()
    try:
        problems = gate()
    except Stop as reason:
        problems = [str(reason)]
    shown = problems[:30] + ([f"... and {len(problems) - 30} more"] if len(problems) > 30 else [])
    report.verdict(name, "fail" if problems else "pass", time.monotonic() - start, "\n".join(shown))


def in_tree(report):
    """make check-in-tree: the same sources as fs/smb/server of an unpacked kernel, configured by its Kconfig and built into a module."""
    judge(report, "in-tree.build", build_in_tree)


def build_in_tree():
    """Replaces fs/smb/server in an overlay of the kernel source, so that the cached one stays as it is."""
    upper = f"{BUILD}/in-tree"
    for name in ("upper", "work", "tree", "obj"):
        os.makedirs(f"{upper}/{name}", exist_ok=True)
    tree = f"{upper}/tree"
    mounted = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={build.KERNEL}/src,upperdir={upper}/upper,workdir={upper}/work", tree], check=False)
    if mounted.returncode != 0:
        say("no overlay here: copying the kernel source")
        build.call("copying the kernel source", "rsync", "-a", "--delete", f"{build.KERNEL}/src/", f"{tree}/")
    server = f"{tree}/fs/smb/server"
    for name in os.listdir(server):
        (shutil.rmtree if os.path.isdir(f"{server}/{name}") else os.unlink)(f"{server}/{name}")
    build.copy_sources(server)
    obj = f"{upper}/obj"
    if not os.path.exists(f"{obj}/.config"):
        build.call("copying the object tree", "rsync", "-a", f"{build.KERNEL}/obj/", f"{obj}/")
    make = ["make", "-C", tree, f"O={obj}", f"KERNELRELEASE={build.release()}", f"-j{build.jobs()}"]
    build.call("configuring the kernel", *make, "olddefconfig", quiet=True)
    config = open(f"{obj}/.config", encoding="utf-8").read()
    if "CONFIG_SMB_SERVER=m" not in config:
        return ["the tree's configuration does not reach CONFIG_SMB_SERVER=m with this Kconfig"]
    build.call("preparing the kernel", *make, "modules_prepare", quiet=True)
    build.call("building fs/smb/server in the tree", *make, "fs/smb/server/ksmbd.o", quiet=True)
    objects = subprocess.run(["nm", f"{obj}/fs/smb/server/ksmbd.o"], capture_output=True, text=True, check=True).stdout
    return [] if "__rust" in objects or "kernel" in objects else ["the tree's ksmbd.o has no Rust in it"]
