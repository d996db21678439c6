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
from harness.waiting import wait_for


@contextlib.contextmanager
def captures_until_refused(tunnels, folder):
    """Starts captures of tunnel lab until one is refused, and yields how many run."""
    with contextlib.ExitStack() as stack:
        for count in range(6):
            path = str(folder / f"{count}.pcapng")
            capture = stack.enter_context(subprocess.Popen(
                [program("vpnctl"), "capture", "lab", "-w", path], env=tunnels.manager.environment(),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            stack.callback(capture.kill)
            wait_for(lambda: capture.poll() is not None or os.path.exists(path) and os.path.getsize(path) > 0,
                     "it has begun, or is refused")
            if capture.poll() is not None:
                yield count, capture.stderr.read()
                return
        raise AssertionError("all were let in")


def test_without_descriptors_only_the_new_request_fails(ends, tunnels, tmp_path):
    pid = tunnels.client.status("lab")["pid"]
    in_use = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    with Pings("u", SERVER) as sent:
        run("prlimit", "--pid", str(pid), f"--nofile={in_use + 4}:")
        with captures_until_refused(tunnels, tmp_path) as (count, text):
            assert count < 4 and text, "refused in words"
            assert tunnels.peer("lab", "server")["health"] == "healthy"
            time.sleep(0.3)
        run("prlimit", "--pid", str(pid), "--nofile=1024:")
    assert every_one(sent)
    assert tunnels.client.status("lab")["pid"] == pid
    tunnels.client.restart("lab")
    assert pings("u", SERVER)
