"""wireguard-go at the other end: what passes, what is refused, and who keeps the session alive."""
import re
import time

import pytest
from conftest import PORT
from facing_go import OURS, THEIR_PORT, THEIRS, THEIRS_OUTSIDE, facing, talking

from harness.host import run
from harness.network import answered, ping, pings, udp_socket
from harness.profile import peer
from harness.relay import Relay
from harness.transfer import Transfer, transferred
from harness.waiting import wait_for
from harness.wire import DATA, KEEPALIVE_BYTES, Wire

MIB = 1 << 20
FAR = "10.0.3.8"  # the server behind the relay


@pytest.fixture
def go(pair, tunnels):
    with talking(tunnels) as made:
        yield made


@pytest.fixture
def between(network):
    """Hosts u and server, and host middle on the way, which forwards nothing by itself."""
    network.host("u", "middle", "server")
    network.wire(("u", "eth0", "10.0.2.7/24"), ("middle", "eth0", "10.0.2.1/24"))
    network.wire(("middle", "eth1", "10.0.3.1/24"), ("server", "eth0", f"{FAR}/24"))
    return network


def relay(**faults):
    return Relay(("middle", "10.0.2.1", PORT), ("middle", "10.0.3.1", 0), (FAR, PORT), **faults)


@pytest.mark.parametrize("netns, to_netns, address", [("u", "server", OURS), ("server", "u", THEIRS),
                                                      ("u", "server", "fd53::98"), ("server", "u", "fd53::99")])
def test_a_file_arrives_unchanged(go, netns, to_netns, address):
    assert transferred(netns, to_netns, address, 8 * MIB)


@pytest.mark.parametrize("outside, largest", [("10.0.2.8", 1420), ("[fd02::8]", 1420)])
def test_every_size_up_to_the_edge_of_the_mtu_passes_and_no_larger_one(pair, tunnels, outside, largest):
    with talking(tunnels, ours=dict(mtu=largest), endpoint=f"{outside}:{PORT}"):
        for size in (0, 1, 15, 16, 17, *range(largest - 18, largest - 27, -4), largest - 28):
            size = min(size, largest - 28)
            for netns, address in (("u", OURS), ("server", THEIRS)):
                assert answered(ping(netns, address, "-s", str(size), "-M", "do")), f"{size} bytes from {netns}"
        for netns, address in (("u", OURS), ("server", THEIRS)):
            assert not answered(ping(netns, address, "-s", str(largest - 27), "-M", "do", seconds=1))
            six = "fd53::98" if netns == "u" else "fd53::99"
            assert answered(ping(netns, six, "-s", str(largest - 48), "-M", "do"))
            assert answered(ping(netns, address, "-s", "4000", "-M", "dont")), "in fragments of the inner kind"


def test_a_transfer_outlives_its_losing_every_session(go):
    """Down and up again, it has forgotten all sessions, as after a restart, and makes another handshake."""
    with Transfer("u", "server", OURS, pause=0.01) as up, \
            Transfer("server", "u", THEIRS, pause=0.01, port=7001) as back:
        for _ in range(2):
            time.sleep(0.3)
            before = go.known()["rx-packets"]
            run("ip", "link", "set", "wg0", "down", netns="u")
            run("ip", "link", "set", "wg0", "up", netns="u")
            wait_for(lambda: go.known()["rx-packets"] > before + 10, "traffic goes on")
    assert up.arrived() and back.arrived()


def test_what_it_sends_from_where_it_may_not_is_refused_and_counted(go):
    run("ip", "address", "add", "192.168.53.77/32", "dev", "wg0", netns="u")
    before = go.tunnels.drops("server").get("source-not-allowed", (0, ""))[0]
    assert not answered(ping("u", OURS, "-I", "192.168.53.77", count=3, seconds=1))
    wait_for(lambda: go.tunnels.drops("server")["source-not-allowed"][0] == before + 3, "each is counted")
    _, last = go.tunnels.drops("server")["source-not-allowed"]
    assert "192.168.53.77 -> 192.168.53.98" in last and f"{THEIRS_OUTSIDE}:{THEIR_PORT}" in last
    assert answered(ping("u", OURS))


def test_what_we_send_where_nobody_may_be_is_refused_and_counted(go):
    before = go.tunnels.drops("server").get("no-peer", (0, ""))[0]
    assert not answered(ping("server", "192.168.53.77", count=3, seconds=1))
    wait_for(lambda: go.tunnels.drops("server")["no-peer"][0] >= before + 3, "each is counted")
    assert answered(ping("server", THEIRS))


def test_what_we_send_from_where_we_may_not_it_refuses(go):
    run("ip", "address", "add", "192.168.54.1/32", "dev", "tun0", netns="server")
    run("ip", "route", "add", "192.168.54.1/32", "dev", "wg0", netns="u")
    assert not answered(ping("server", THEIRS, "-I", "192.168.54.1", seconds=1))
    go.other.peer(go.ends.server.public, "192.168.53.0/24", "fd53::/64", "192.168.54.1/32")
    assert answered(ping("server", THEIRS, "-I", "192.168.54.1")), "allowed, it passes"


def keepalives(messages, source):
    return sum(1 for message in messages if message == (source, DATA, KEEPALIVE_BYTES))


def test_each_end_keeps_the_way_open_when_told_to(pair, tunnels):
    with facing(tunnels, keepalive=1) as go, Wire("u", "eth0") as wire:
        assert pings("u", OURS)
        assert keepalives(wire.watch(3.5), THEIRS_OUTSIDE) >= 2, "it does"
        go.other.wg("peer", go.ends.server.public, "persistent-keepalive", "0")
        told = peer("u", "192.168.53.99/32", public_key=go.ends.u.public, persistent_keepalive=1)
        tunnels.reload("server", go.ends.at_server(peers=[told]))
        began = time.monotonic()
        messages = wire.watch(3.5)
        most = time.monotonic() - began + 1
        assert 2 <= keepalives(messages, "10.0.2.8") <= most and not keepalives(messages, THEIRS_OUTSIDE), "we do"


def test_who_is_only_written_to_says_once_that_it_is_there(go):
    """KEEPALIVE_TIMEOUT, 10 s, after what it did not answer otherwise."""
    assert answered(ping("u", OURS)), "nothing of before is unanswered"
    with udp_socket("server", OURS, 6000), udp_socket("u", THEIRS) as sender, Wire("u", "eth0") as wire:
        began = time.monotonic()
        sender.sendto(b"x" * 100, (OURS, 6000))
        first = wait_for(lambda: keepalives(wire.seen(), "10.0.2.8"), "it says that it is there")
        assert first == 1 and time.monotonic() - began >= 9.5
        assert not keepalives(wire.watch(2), "10.0.2.8"), "once"


def test_a_third_of_the_datagrams_is_lost(between, tunnels):
    with relay(seed=30, loss=0.3), facing(tunnels, endpoint=f"10.0.2.1:{PORT}"):
        wait_for(lambda: answered(ping("u", OURS, count=3, seconds=1)), "a handshake comes about")
        text = run("ping", "-n", "-c", "200", "-i", "0.01", "-W", "1", OURS, netns="u", check=False)
        assert 60 <= answered(text) <= 140, "what the relay left of them: 98"


def test_what_comes_late_and_twice_is_sorted_out(between, tunnels):
    with relay(seed=31, double=0.3, late=0.3), facing(tunnels, endpoint=f"10.0.2.1:{PORT}"):
        assert pings("u", OURS)
        # Of 400, for ping does not wait for the last ones.
        text = run("ping", "-n", "-c", "400", "-i", "0.005", OURS, netns="u", check=False)
        replies = set(map(int, re.findall(r"icmp_seq=(\d+) ttl=", text)))
        assert replies >= set(range(1, 301)) and "DUP" not in text, text
        assert tunnels.drops("server")["replayed"][0] >= 60
        assert transferred("u", "server", OURS, 256 << 10)


def test_a_file_arrives_over_a_wire_that_loses_doubles_and_reorders(between, tunnels):
    with relay(seed=32, loss=0.05, double=0.1, late=0.1), facing(tunnels, endpoint=f"10.0.2.1:{PORT}"):
        wait_for(lambda: answered(ping("u", OURS, seconds=1)), "a handshake comes about")
        assert transferred("u", "server", OURS, 256 << 10)
        assert transferred("server", "u", THEIRS, 256 << 10)
