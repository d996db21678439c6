"""10,000 WireGuard peers in one session; one in their middle exists."""
import json
import subprocess

import pytest
from conftest import PORT, client_profile

from harness import program
from harness.bus import plain
from harness.many import HUB, address, hub
from harness.network import pings
from harness.profile import peer
from harness.waiting import wait_for
from harness.wireguard import Keys

COUNT, MIDDLE = 10_000, 5_000
SESSION = "org.vpntun1.session.hub"
PATIENCE = 60.0  # seconds, of a debug build on a busy machine


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def middle():
    return Keys()


def profile_of(keys, middle, count=COUNT):
    return hub(keys, count, {MIDDLE: middle.public}, netns="server")


@pytest.fixture
def running(pair, tunnels, keys, middle):
    tunnels.profile("hub", profile_of(keys, middle))
    tunnels.client.start("hub", seconds=PATIENCE)
    return tunnels


def shown(tunnels):
    """The peers of vpnctl status, by name."""
    text = subprocess.run([program("vpnctl"), "status", "hub", "--json"], env=tunnels.manager.environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=PATIENCE).stdout
    [tunnel] = json.loads(text)["tunnels"]
    return {peer["name"]: peer for peer in tunnel.get("peers", [])}


def wait_for_peers(tunnels, condition, what):
    """The session is given up on when it does not answer for a while, as on a busy machine."""
    return wait_for(lambda: condition(shown(tunnels)), what, PATIENCE, interval=0.5)


def most_memory(tunnels):
    """Of the session so far, in MiB."""
    pid = tunnels.client.get(SESSION, "/org/vpntun1/session", "org.vpntun1.Session", "MainPID")
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


def test_all_are_shown_and_one_of_them_talks(running, keys, middle):
    assert wait_for_peers(running, lambda peers: len(peers) == COUNT, "all peers are shown")
    there = peer("hub", f"{HUB}/32", endpoint=f"10.0.2.8:{PORT}", public_key=keys.public)
    running.run("lab", client_profile(encryption="wireguard", private_key=middle.private, peers=[there],
                                      address=[f"{address(MIDDLE)}/32"]))
    assert pings("u", HUB) and pings("server", address(MIDDLE))

    def only_that_one(peers):
        return {name for name, peer in peers.items() if peer["state"] == "fresh"} == {f"p{MIDDLE}"}

    assert wait_for_peers(running, only_that_one, "one is fresh")
    path = f"/org/vpntun1/session/peer/p{MIDDLE}"
    assert running.client.get(SESSION, path, "org.vpntun1.Peer", "State") == "fresh"
    assert most_memory(running) < 192


def test_one_more_is_added_and_the_others_stay(running, keys, middle):
    running.manager.write_profile("hub", profile_of(keys, middle, COUNT + 1))
    result = running.client.call(running.client.MANAGER, "Reload", "sa{sv}", "hub", {}, seconds=PATIENCE)
    assert plain(result)["applied"] == [f"peer[p{COUNT}]"]
    assert wait_for_peers(running, lambda peers: len(peers) == COUNT + 1, "there is one more")
