"""A session that has no file descriptor left. Not with a sanitizer, which needs some itself."""
import contextlib
import os
import subprocess
import time

from conftest import SERVER
from test_wireguard_live import ends, every_one  # pylint: disable=unused-import

from harness import program
from harness.host import run
from harness.network import Pings, pings


@contextlib.contextmanager
def captures_until_refused(tunnels):
    """Starts captures of tunnel lab until one is refused, and yields how many run."""
    with contextlib.ExitStack() as stack:
        for count in range(6):
            capture = stack.enter_context(subprocess.Popen(
                [program("vpnctl"), "capture", "lab", "-w", "/dev/null"], env=tunnels.manager.environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            stack.callback(capture.kill)
            with contextlib.suppress(subprocess.TimeoutExpired):
                capture.wait(1)
                yield count, capture.stderr.read()
                return
        raise AssertionError("all were let in")


def test_without_descriptors_only_the_new_request_fails(ends, tunnels):
    pid = tunnels.client.status("lab")["pid"]
    in_use = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    with Pings("u", SERVER) as sent:
        run("prlimit", "--pid", str(pid), f"--nofile={in_use + 4}:")
        with captures_until_refused(tunnels) as (count, text):
            assert count < 4 and text, "refused in words"
            assert tunnels.peer("lab", "server")["health"] == "healthy"
            time.sleep(0.3)
        run("prlimit", "--pid", str(pid), "--nofile=1024:")
    assert every_one(sent)
    assert tunnels.client.status("lab")["pid"] == pid
    tunnels.client.restart("lab")
    assert pings("u", SERVER)
