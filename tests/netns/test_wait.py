"""vpnctl wait beside a tunnel between two hosts: what it waits for is what packets of the other end bring about."""
import subprocess

import pytest
from conftest import PORT, SERVER, client_profile, server_profile
from test_wireguard import Ends

from harness import program
from harness.network import ping, pings, write_sysctl
from harness.profile import peer


@pytest.fixture
def wait(tunnels):
    """wait("lab", "handshake"): a waiting vpnctl, which ends with the test."""
    begun = []

    def begin(name, wanted, seconds=60):
        begun.append(subprocess.Popen([program("vpnctl"), "wait", name, "--for", wanted, "--timeout", str(seconds)],
                                      env=tunnels.manager.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def said(process):
    """Its exit code and what it printed, when it has ended."""
    out, err = process.communicate(timeout=90)
    return process.returncode, out, err


def assert_waits(*processes):
    for process in processes:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)


HEARD, PASSES = "lab: a peer was heard.\n", "lab: packets pass both ways.\n"


def test_it_ends_when_the_other_end_answers_and_not_before(pair, tunnels, wait):
    tunnels.run("lab", client_profile())
    assert said(wait("lab", "configured")) == (0, "lab: it is running.\n", "")
    waiting = [wait("lab", "handshake"), wait("lab", "traffic")]
    ping("u", SERVER, seconds=1)  # into the void
    assert_waits(*waiting)
    tunnels.run("server", server_profile())
    assert pings("u", SERVER)
    assert [said(each) for each in waiting] == [(0, HEARD, ""), (0, PASSES, "")]


def test_it_ends_at_once_where_packets_have_passed(running, wait):
    for name in ("lab", "server"):
        assert [said(wait(name, wanted))[0] for wanted in ("configured", "handshake", "traffic")] == [0, 0, 0]


def test_packets_that_come_in_and_are_not_answered_are_a_handshake_and_no_traffic(pair, tunnels, wait):
    write_sysctl("server", "ipv4/icmp_echo_ignore_all", 1)
    tunnels.run("lab", client_profile())
    tunnels.run("server", server_profile())
    waiting = wait("server", "handshake")
    assert_waits(waiting)
    ping("u", SERVER, seconds=1)
    assert said(waiting) == (0, HEARD.replace("lab", "server"), "")
    code, _, err = said(wait("server", "traffic", 3))
    assert code == 7 and "not within 3 s that packets pass both ways" in err


def test_a_handshake_is_no_traffic_and_neither_is_a_keepalive(pair, tunnels, wait):
    ends = Ends()
    tunnels.run("server", ends.at_server())
    tunnels.run("lab", ends.client(peers=[peer("server", "192.168.53.0/24", endpoint=f"10.0.2.8:{PORT}",
                                               public_key=ends.server.public, persistent_keepalive=1)]))
    assert said(wait("lab", "handshake"))[0] == said(wait("server", "handshake"))[0] == 0
    waiting = [wait("lab", "traffic"), wait("server", "traffic")]
    assert_waits(*waiting)
    assert pings("u", SERVER)
    assert [said(each)[0] for each in waiting] == [0, 0]


def test_a_restarted_session_is_waited_for_anew(running, wait):
    running.client.stop("server")
    running.client.restart("lab")
    waiting = wait("lab", "handshake")
    ping("u", SERVER, seconds=1)
    assert_waits(waiting)
    running.client.start("server")
    assert pings("u", SERVER) and said(waiting) == (0, HEARD, "")
