"""The lab as a user without privileges, where the kernel allows user namespaces."""
import os
import subprocess
import tempfile

import pytest

from harness import program
from lab import Lab, assert_as_before, world

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]


def as_nobody(*command):
    return subprocess.run([*NOBODY, *command], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def programs():
    """The built programs where nobody can reach them, and /dev/net/tun open to all as udev makes it. Both are
    mounts that end with this test's mount namespace."""
    if as_nobody("test", "-w", "/dev/net/tun").returncode != 0:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/net"], check=True)
        os.mknod("/dev/net/tun", 0o20666, os.makedev(10, 200))
        os.chmod("/dev/net/tun", 0o666)
    os.makedirs("/run/programs", exist_ok=True)
    subprocess.run(["mount", "--bind", os.path.dirname(program("vpntun-lab")), "/run/programs"], check=True)
    return "/run/programs"


@pytest.fixture
def lab(programs):
    # No name made of our process id: every such test has the same, in a namespace of its own.
    with tempfile.TemporaryDirectory(prefix="vpntun-lab-", dir="/tmp") as home:
        os.chown(home, 65534, 65534)
        before = world()
        one = Lab(home + "/lab", prefix=NOBODY, binary=programs + "/vpntun-lab")
        yield one
        one.run("down")
        assert_as_before(before, one)


ALLOWED = as_nobody("unshare", "--user", "--map-root-user", "--net", "true").returncode == 0


@pytest.mark.skipif(not ALLOWED, reason="this kernel gives user namespaces to root only")
def test_an_ordinary_user_runs_the_lab(lab):
    lab.ok("up")
    script = lab.ok("env").strip() + "; /run/programs/vpnctl start lab-server lab"
    assert as_nobody("sh", "-c", script).returncode == 0
    assert "ttl=63" in lab.ok("exec", "u", "ping", "-n", "-c", "1", "-W", "60", "192.168.60.101")
    assert "192.168.60.101/24" in lab.ok("exec", "u", "ip", "netns", "exec", "v", "ip", "-4", "address")


@pytest.mark.skipif(not ALLOWED, reason="this kernel gives user namespaces to root only")
def test_an_ordinary_user_performs_every_task(lab):
    assert "12 of 12 tasks: everything seen." in lab.ok("run", "all")
    assert "everything seen" in lab.ok("run", "encrypt")


@pytest.mark.skipif(not ALLOWED, reason="the way to forbid them for one program is to be in one")
def test_without_user_namespaces_the_lab_says_what_to_do(lab):
    limit = "/proc/sys/user/max_user_namespaces"
    # In a user namespace of our own the limit counts for it and those below; the machine's stays.
    script = f"echo 0 > {limit} && exec setpriv --bounding-set=-all --inh-caps=-all {lab.binary} up"
    done = subprocess.run([*NOBODY, "unshare", "--user", "--map-root-user", "sh", "-c", script], env=lab.environment,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "user namespaces" in done.stderr and "root" in done.stderr
