"""ready-when = "handshake": a start is done when a peer was heard, not before; and ends in order when none is."""
import contextlib
import socket
import subprocess

import pytest
from conftest import lab_profile

from harness import program
from harness.bus import DBusError
from harness.host import host_state, unchanged_host
from harness.packets import echo_request
from harness.waiting import wait_for


def waiting_profile():
    return lab_profile().replace('encryption = "none"', 'encryption = "none"\nready-when = "handshake"')


@pytest.fixture
def waiting(world):
    world.profile("lab", waiting_profile())
    return world


def has_interface():
    return any(link.startswith("tun0 ") for link in host_state()["links"])


@contextlib.contextmanager
def started(world):
    """A Start under way whose session waits; its serial."""
    with world.new_client() as caller:
        serial = caller.send(caller.MANAGER, "Start", "sa{sv}", "lab", {})
        wait_waiting(world)
        yield caller, serial


def wait_waiting(world):
    """Until the session of tunnel lab can be spoken to."""
    wait_for(lambda: "org.vpntun1.session.lab" in world.client.owned_names(), "the session is on the bus")
    wait_for(has_interface, "the interface is there")


def speak():
    """One datagram of the peer, with a packet that its allowed-ips let in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 9999))
        peer.sendto(echo_request("192.168.60.1", "192.168.53.99"), ("127.0.0.1", 9090))


def speak_until_done(caller, serial):
    """The peer speaks until the Start is done, for a session that ends may take in a datagram that another one waits for."""
    def is_done():
        speak()
        with contextlib.suppress(TimeoutError):
            return caller.reply(serial, seconds=0.5)
    return wait_for(is_done, "a datagram is the one that was waited for")


def session_property(world, name):
    return world.client.get("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session", name)


def test_a_start_returns_when_the_peer_was_heard(waiting):
    with started(waiting) as (caller, serial):
        assert waiting.client.state("lab") == "starting" and session_property(waiting, "Ready") is False
        with pytest.raises(TimeoutError):
            caller.reply(serial, seconds=1)
        speak()
        assert caller.reply(serial) == ("/org/vpntun1/tunnel/lab",)
        assert waiting.client.state("lab") == "running" and session_property(waiting, "Ready") is True


def test_a_stop_ends_the_waiting_at_once(waiting):
    with unchanged_host(), started(waiting) as (caller, serial):
        waiting.client.stop("lab")
        with pytest.raises(DBusError, match="stopped while starting"):
            caller.reply(serial)
        assert waiting.client.state("lab") == "stopped" and waiting.manager.session_pids() == []


def test_a_restart_goes_on_waiting_until_a_peer_was_heard_and_later_ones_need_not(waiting):
    with started(waiting) as (caller, serial):
        restart = caller.send(caller.MANAGER, "Restart", "sa{sv}", "lab", {})
        with pytest.raises(DBusError, match="stopped while starting"):
            caller.reply(serial)
        with pytest.raises(TimeoutError):
            caller.reply(restart, seconds=1)
        assert speak_until_done(caller, restart) == ("/org/vpntun1/tunnel/lab",)
        assert waiting.client.restart("lab") == "/org/vpntun1/tunnel/lab"


def test_a_session_started_elsewhere_is_starting_until_it_heard_its_peer(waiting):
    session = subprocess.Popen([program("vpntund"), "--session", "lab", "--profile-folder", waiting.manager.profiles],
                               env=waiting.manager.environment(), stderr=subprocess.DEVNULL)
    try:
        waiting.wait_state("lab", "starting")
        wait_for(has_interface, "the interface is there")
        assert waiting.client.state("lab") == "starting"
        speak()
        waiting.wait_state("lab", "running")
    finally:
        waiting.client.stop("lab")
        session.wait(60)
