"""packaging/try, the README's first command, with the programs already built: what it shows, and that it leaves nothing."""
import os
import signal
import subprocess

import pytest

from harness.waiting import wait_for
from lab import world

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TRY = os.path.join(SOURCE, "packaging", "try")
FOLDER = "/run/vpntun-lab"


@pytest.fixture
def unchanged():
    """The machine is afterwards as it was before."""
    before = world()
    yield
    subprocess.run([TRY, "down"], check=False, capture_output=True, timeout=60)
    assert not os.path.exists(FOLDER)
    wait_for(lambda: world() == before, "the machine is as before")


def output_of(*arguments):
    done = subprocess.run([TRY, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_shows_the_tunnel_and_takes_it_down(unchanged):
    said = output_of()
    assert "Network is unreachable" in said
    assert "lab: running on tun0 (192.168.53.99/24). Not encrypted." in said
    assert " 3 received" in said and "ttl=63" in said
    assert "From tun ==>: 192.168.53.99 --> 192.168.60.101 ICMP echo request" in said
    assert "-> 10.0.2.8:9090, 20 IP + 8 UDP + 84 = 112 bytes" in said
    assert "packaging/try down" in said
    again = output_of()
    assert " 3 received" in again
    assert "The lab is down." in output_of("down")


def test_ctrl_c_in_the_middle_takes_everything_down(unchanged):
    with subprocess.Popen([TRY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as running:
        for line in running.stdout:
            if "lab: running" in line:
                break
        os.killpg(running.pid, signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(60) == 130, rest
    assert "Taking the lab down." in rest
    assert not os.path.exists(FOLDER)


def test_a_second_ctrl_c_does_not_leave_half_of_it(unchanged):
    with subprocess.Popen([TRY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as running:
        for awaited in ("lab: running", "Taking the lab down."):
            for line in running.stdout:
                if awaited in line:
                    break
            os.killpg(running.pid, signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(60) == 130, rest
    assert not os.path.exists(FOLDER)
