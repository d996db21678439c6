"""The packages themselves: installed on a Debian that never saw them, upgraded under a running tunnel, removed, purged."""
import os
import shutil
import stat

import pytest

import packages
from harness.profile import peer, profile
from harness.waiting import wait_for
from machine import MANAGER_UNIT, unit_of

NAMES = ("vpnctl", "vpntun-lab", "vpntund")
HOME = profile(name="home0", address="192.168.53.99/24", listen_port=9090, peers=[peer("server", "192.168.53.0/24")])
UNIT = unit_of("home")
# What changes on a running system whatever is installed.
RESTLESS = ("/var/log/", "/var/lib/dpkg/", "/var/lib/systemd/", "/var/cache/", "/var/tmp/", "/etc/.pwd.lock")


def install(machine, release, *names, upgraded=False):
    folder = os.path.join(machine.root, "var/tmp/packages")
    os.makedirs(folder, exist_ok=True)
    chosen = [path for path in packages.package_files(release, upgraded) if os.path.basename(path).split("_")[0] in (names or NAMES)]
    assert len(chosen) == len(names or NAMES)
    for path in chosen:
        shutil.copy(path, folder)
    machine.run("dpkg --install /var/tmp/packages/*.deb && rm -r /var/tmp/packages", timeout=120)


def files(machine):
    """Every file of the system, but for those that change by themselves."""
    listed = machine.out("find / -xdev -path /run -prune -o -print").splitlines()
    return {path for path in listed if not path.startswith(RESTLESS)}


@pytest.fixture(scope="module")
def bare(boot):
    return boot("bare", with_packages=False)


@pytest.fixture(scope="module")
def untouched(bare):
    """The files before anything of ours was there."""
    return files(bare)


@pytest.fixture(scope="module")
def fresh(bare, untouched, release):
    """A system on which the packages were just installed, while it runs."""
    del untouched
    install(bare, release)
    return bare


def test_what_is_installed_answers_at_once(fresh):
    assert "vpntund" in fresh.vpnctl("version").stdout
    assert fresh.show(MANAGER_UNIT, "ActiveState") == "active"
    assert fresh.vpnctl("list", "--names").stdout == ""


def test_profiles_are_for_root_and_the_daemon(fresh):
    assert fresh.out("stat -c '%A %U %G' /etc/vpntund") == "drwxr-s--- root vpntun"
    user = fresh.out("getent passwd vpntun").split(":")
    assert int(user[2]) < 1000 and user[6].endswith("nologin")


def test_every_file_is_roots_and_plain(fresh):
    for path in fresh.out(["dpkg", "--listfiles", *NAMES]).splitlines():
        if not path.startswith("/") or os.path.isdir(fresh.root + path):  # folders are other packages' too
            continue
        found = os.lstat(fresh.root + path)
        assert (found.st_uid, found.st_gid) == (0, 0), path
        assert not found.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWGRP | stat.S_IWOTH), path
    assert fresh.out("getcap -r /usr/bin /usr/sbin /usr/libexec/vpntun 2>/dev/null | grep vpn || true") == ""


def test_everything_a_user_looks_for_is_there(fresh):
    for page, section in (("vpnctl", 1), ("vpntund", 8), ("vpntund.toml", 5), ("org.vpntun1", 5)):
        assert f"/usr/share/man/man{section}/{page}.{section}.gz" in fresh.out(f"dpkg --listfiles {' '.join(NAMES)}")
    assert "start" in fresh.out(["bash", "-c", "source /usr/share/bash-completion/bash_completion; "
                                 "source /usr/share/bash-completion/completions/vpnctl; "
                                 "COMP_WORDS=(vpnctl sta); COMP_CWORD=1; _vpnctl; echo ${COMPREPLY[@]}"])
    # The keys that examples speak of.
    keys = fresh.out("grep -ho '\"/etc/vpntund/[^\"]*\"' /usr/share/doc/vpntund/examples/*.toml").replace('"', "").split()
    assert keys
    for key in keys:
        fresh.write_file(key, fresh.out("vpnctl genkey"), 0o640, "root:vpntun")
    for example in fresh.out("ls /usr/share/doc/vpntund/examples/*.toml").splitlines():
        done = fresh.vpnctl("check", example, check=False)
        assert done.returncode == 0, done.stdout
    fresh.run(["rm", *keys])


def test_a_unit_of_the_packages_has_no_mistake(fresh):
    fresh.profile("home", HOME)
    said = fresh.run(f"systemd-analyze verify {MANAGER_UNIT} {UNIT}", check=False)
    ours = [line for line in (said.stdout + said.stderr).splitlines() if "vpntun" in line and "man:" not in line and "man " not in line]
    assert ours == []


def test_without_the_lab_vpnctl_says_which_package_has_it(fresh):
    runner = "/usr/libexec/vpntun/vpntun-lab"
    assert "run" in fresh.vpnctl("lab", "--help").stdout
    fresh.run(["mv", runner, runner + ".away"])
    refused = fresh.vpnctl("lab", "list", check=False)
    fresh.run(["mv", runner + ".away", runner])
    assert refused.returncode == 1 and "vpntun-lab" in refused.stderr


def test_an_upgrade_restarts_the_manager_and_no_tunnel(fresh, release):
    fresh.profile("home", HOME)
    fresh.systemctl("enable", "--now", UNIT)
    fresh.vpnctl("status", "home")
    interface = fresh.out("cat /sys/class/net/home0/ifindex")
    manager, session = fresh.main_pid(MANAGER_UNIT), fresh.main_pid(UNIT)
    install(fresh, release, upgraded=True)
    assert packages.UPGRADED in fresh.out("dpkg-query -W vpntund")
    fresh.wait_new_main_pid(MANAGER_UNIT, manager)
    assert fresh.main_pid(UNIT) == session and fresh.out("cat /sys/class/net/home0/ifindex") == interface
    assert fresh.out(f"readlink /proc/{session}/exe").endswith("(deleted)")
    wait_for(lambda: fresh.status("home")["pid"] == session, "the new manager knows the tunnel")
    fresh.systemctl("restart", UNIT)
    assert fresh.out(f"readlink /proc/{fresh.main_pid(UNIT)}/exe") == "/usr/sbin/vpntund"
    assert fresh.out("cat /sys/class/net/home0/ifindex") == interface


def test_a_removal_stops_the_tunnels_and_keeps_the_profiles(fresh):
    fresh.systemctl("start", UNIT)
    fresh.run(["dpkg", "--remove", *NAMES], timeout=120)
    assert fresh.active_state(UNIT) == "inactive" and fresh.active_state(MANAGER_UNIT) == "inactive"
    assert "home0" not in fresh.out("ls /sys/class/net")
    assert fresh.out("pgrep -l vpntund || true") == ""
    assert fresh.read_file("/etc/vpntund/home.toml") == HOME


def test_a_purge_leaves_profiles_and_nothing_else(fresh, untouched, release):
    install(fresh, release)
    fresh.systemctl("enable", UNIT, "vpntund-wait-online@home.service")
    fresh.run(["dpkg", "--purge", *NAMES], timeout=120)
    assert files(fresh) - untouched == {"/etc/vpntund", "/etc/vpntund/home.toml"}
    wait_for(lambda: fresh.out("find /run -ignore_readdir_race -name '*vpntun*'") == "", "systemd has forgotten the units")
    assert "vpntun" in fresh.out("getent passwd vpntun")


def test_a_purge_without_profiles_leaves_nothing(fresh, untouched, release):
    fresh.run("rm -f /etc/vpntund/home.toml")
    install(fresh, release)
    fresh.run(["dpkg", "--purge", *NAMES], timeout=120)
    assert files(fresh) == untouched
