"""Debian trees in the cache: for each release one that boots, and one that builds our packages.

A tree is made when it is missing, under a lock, and appears in one rename: who finds it finds all of it. Its folder is
named after everything that went into it, so a longer package list is a new tree. Nobody writes into a finished tree:
machines put an overlay on it, builds mount it read-only.
"""
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

RELEASES = ("bookworm", "trixie")
MIRROR = os.environ.get("VPNTUN_DEBIAN_MIRROR", "http://deb.debian.org/debian")
# Unused for so long, a thing in the cache is removed when the next of its kind is made.
KEPT_SECONDS = 3 * 24 * 3600

BOOT_PACKAGES = {
    "every": """bash-completion ca-certificates dbus iproute2 iputils-ping kmod libpam-systemd man-db nftables polkitd
                procps python3 python3-jeepney systemd systemd-resolved systemd-sysv wireguard-go wireguard-tools
                libmnl0 libnftables1 libqrencode4 libsodium23""".split(),
    "bookworm": "libfmt9 libsdbus-c++1 libssl3 libspdlog1.10 libtomlplusplus3".split(),
    "trixie": "libfmt10 libsdbus-c++2 libssl3t64 libspdlog1.15 libtomlplusplus3t64".split(),
}
# Says what building packages needs.
INSTALLER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "install-packages")


def cache_folder(*parts):
    """A folder of the cache, made when missing."""
    base = os.environ.get("VPNTUN_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vpntun")
    folder = os.path.join(base, "system", *parts)
    os.makedirs(folder, exist_ok=True)
    return folder


def key_of(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _locked(path):
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(kind, name, key, make):
    """The folder KIND/NAME-KEY of the cache; make(folder) fills it where it is missing."""
    folder = cache_folder(kind)
    path = os.path.join(folder, f"{name}-{key}")
    with _locked(os.path.join(folder, f"{name}.lock")):
        if not os.path.isdir(path):
            _remove_unused(folder, name)
            part = os.path.join(folder, f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            os.makedirs(part)
            make(part)
            os.rename(part, path)
        os.utime(path)
    return path


def _remove_unused(folder, name):
    for entry in os.scandir(folder):
        if entry.name.startswith(name + "-") and entry.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(entry.path, ignore_errors=True)


def checked(command, what, **options):
    """Runs a long command quietly; what it said is shown when it fails."""
    started = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{what}: status {done.returncode}\n{done.stdout[-6000:]}")
    say(f"{what}: {time.monotonic() - started:.0f} s")
    return done.stdout


def inside(tree, command, *options, environment=(), what=None):
    """Runs a command in a tree, without booting it."""
    settings = [f"--setenv={name}={value}" for name, value in
                {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **dict(environment)}.items()]
    return checked(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off",
                    "--pipe", "-D", tree, *settings, *options, *command], what or command[0])


def _remove_downloads(tree):
    for folder in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(os.path.join(tree, folder))
        os.makedirs(os.path.join(tree, folder))


@contextlib.contextmanager
def _network(tree):
    """The tree reaches the mirror the way this machine does; nothing of that stays in it."""
    own = os.path.join(tree, "etc/apt/apt.conf.d/99machine")
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = ("Acquire::http::Proxy", "Acquire::Check-")
    with open(own, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in settings.splitlines() if line.startswith(wanted))
    files = {name: os.path.join(tree, "etc", name) for name in ("hosts", "resolv.conf")}
    for name, path in files.items():
        if os.path.lexists(path):
            os.rename(path, path + ".tree")
        shutil.copyfile(os.path.join("/etc", name), path)
    yield
    os.unlink(own)
    for path in files.values():
        if os.path.lexists(path):
            os.unlink(path)
        if os.path.lexists(path + ".tree"):
            os.rename(path + ".tree", path)


def _make_boot_tree(release, packages, tree):
    say(f"Making the Debian tree that boots {release}; this happens once and takes about two minutes.")
    checked(["debootstrap", "--variant=minbase", release, tree, MIRROR], f"debootstrap {release}")
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(tree, name))
    with open(os.path.join(tree, "etc/dpkg/dpkg.cfg.d/fast"), "w", encoding="ascii") as file:
        file.write("force-unsafe-io\n")
    with _network(tree):
        script = 'apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"'
        inside(tree, ["sh", "-c", script, "install", *packages], what=f"packages of the boot tree of {release}")
    _remove_downloads(tree)
    with open(os.path.join(tree, "etc/hosts"), "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
    link = os.path.join(tree, "etc/resolv.conf")
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink("../run/systemd/resolve/stub-resolv.conf", link)
    # Nothing that wakes up on its own, needs the network or waits for hardware.
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
                 "fstrim.timer", "man-db.timer", "systemd-networkd.service", "systemd-timesyncd.service",
                 "console-getty.service", "systemd-firstboot.service"):
        path = os.path.join(tree, "etc/systemd/system", unit)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink("/dev/null", path)


def boot_tree(release):
    packages = sorted(BOOT_PACKAGES["every"] + BOOT_PACKAGES[release])
    return cached("trees", f"{release}-boot", key_of("1", release, *packages),
                  lambda tree: _make_boot_tree(release, packages, tree))


def build_tree(release):
    base = boot_tree(release)
    wanted = subprocess.run([INSTALLER, "--list", "package"], capture_output=True, text=True, check=True).stdout

    def make(tree):
        say(f"Making the Debian tree that builds for {release}; this happens once and takes about a minute.")
        checked(["cp", "-a", "--reflink=auto", base + "/.", tree], "copy of the boot tree")
        for name in ("build", "ccache"):  # where packages.py mounts the source and the compiler's cache
            os.makedirs(os.path.join(tree, name))
        with _network(tree):
            inside(tree, ["/mnt/install-packages", "package"], f"--bind-ro={os.path.dirname(INSTALLER)}:/mnt",
                   what=f"packages of the build tree of {release}")
        _remove_downloads(tree)

    return cached("trees", f"{release}-build", key_of("3", base, wanted), make)
