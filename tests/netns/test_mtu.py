"""Packets too big for the path: told to their sender, or carried in pieces, as they ask for; never lost silently."""
import hashlib
import os
import threading

import pytest
from conftest import PORT, client_profile, server_profile

from harness.host import run
from harness.network import add_route, answered, ping, pings, tcp_connect, tcp_listener
from harness.profile import peer
from harness.waiting import wait_for

NARROW = 1400  # bytes of an IP packet between router and server


@pytest.fixture
def narrow(network):
    """u - router - server, the second wire narrower than the first."""
    network.host("u", "server")
    network.host("router", forwarding=True)
    network.wire(("u", "eth0", "10.0.2.7/24", "fd02::7/64"), ("router", "eth0", "10.0.2.1/24", "fd02::1/64"))
    network.wire(("router", "eth1", "10.0.3.1/24", "fd03::1/64"), ("server", "eth0", "10.0.3.8/24", "fd03::8/64"),
                 mtu=NARROW)
    for host, near, far in (("u", "2", "3"), ("server", "3", "2")):
        add_route(host, f"10.0.{far}.0/24", "via", f"10.0.{near}.1")
        add_route(host, f"fd0{far}::/64", "via", f"fd0{near}::1")
    return network


def link_mtu(netns, name):
    return int(run("ip", "-o", "link", "show", name, netns=netns).split(" mtu ")[1].split()[0])


def mtu_of(tunnels, text):
    """Of tunnel lab on host u: Status's number, which the interface has too, and how it came about."""
    tunnels.run("lab", text)
    status = tunnels.client.status("lab")
    assert link_mtu("u", status["interface"]) == status["mtu"]
    tunnels.client.stop("lab")
    return status["mtu"], status["mtu-derivation"]


@pytest.mark.parametrize("kind, outside, expected", [
    ("tun", "10.0.2.8", "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)"),
    ("tun", "[fd02::8]", "1452 = 1500 (eth0) - 40 (IPv6) - 8 (UDP)"),
    ("tap", "10.0.2.8", "1458 = 1500 (eth0) - 20 (IPv4) - 8 (UDP) - 14 (Ethernet)"),
    ("tap", "[fd02::8]", "1438 = 1500 (eth0) - 40 (IPv6) - 8 (UDP) - 14 (Ethernet)"),
])
def test_the_mtu_is_what_the_route_to_the_endpoint_leaves(pair, tunnels, kind, outside, expected):
    endpoint = f"{outside}:{PORT}"
    peers = [peer("server", endpoint=endpoint) if kind == "tap" else peer("server", "192.168.53.0/24", endpoint=endpoint)]
    assert mtu_of(tunnels, client_profile(kind=kind, peers=peers)) == (int(expected.split()[0]), expected)


def test_the_mtu_follows_link_route_and_profile(pair, tunnels):
    run("ip", "link", "set", "eth0", "mtu", "9000", netns="u")
    assert mtu_of(tunnels, client_profile())[1] == "8972 = 9000 (eth0) - 20 (IPv4) - 8 (UDP)"
    add_route("u", "10.0.2.8", "dev", "eth0", "mtu", "1420")
    assert mtu_of(tunnels, client_profile())[1] == "1392 = 1420 (eth0) - 20 (IPv4) - 8 (UDP)"
    assert mtu_of(tunnels, client_profile(mtu=1300)) == (1300, "1300 (profile)")
    two = [peer("server", "192.168.53.98/32", endpoint=f"10.0.2.8:{PORT}"),
           peer("six", "192.168.53.97/32", endpoint=f"[fd02::8]:{PORT}")]
    assert mtu_of(tunnels, client_profile(peers=two))[0] == 1392, "the smallest of all peers"


def test_the_mtu_of_a_path_not_known_yet_is_careful(pair, tunnels):
    learned = [peer("server", "192.168.53.98/32")]
    assert mtu_of(tunnels, client_profile(peers=learned, listen_port=PORT))[1] == (
        "1452 = 1500 (assumed) - 40 (IPv6) - 8 (UDP)")
    run("ip", "link", "set", "eth0", "mtu", "1290", netns="u")
    mtu, derivation = mtu_of(tunnels, client_profile())
    assert mtu == 1280 and "least for IPv6" in derivation


def start_both(tunnels, outside, kind="tun"):
    allowed = [] if kind == "tap" else ["192.168.53.0/24", "fd53::/64"]
    back = [] if kind == "tap" else ["192.168.53.99/32", "fd53::99/128"]
    name = f"{kind}0"
    tunnels.run("server", server_profile(kind=kind, name=name, peers=[peer("u", *back)]))
    tunnels.run("lab", client_profile(kind=kind, name=name, peers=[peer("server", *allowed, endpoint=outside)]))
    assert pings("u", "192.168.53.98") and pings("u", "fd53::98")


OVER_4, OVER_6 = f"10.0.3.8:{PORT}", f"[fd03::8]:{PORT}"


@pytest.mark.parametrize("kind, outside, fits", [("tun", OVER_4, NARROW - 28), ("tun", OVER_6, NARROW - 48),
                                                 ("tap", OVER_4, NARROW - 42)])
def test_a_packet_that_must_not_be_fragmented_is_answered_with_the_mtu_that_fits(narrow, tunnels, kind, outside, fits):
    start_both(tunnels, outside, kind)
    # The first one finds the narrow place, where the router tells our socket; the next one is answered by us.
    text = wait_for(lambda: (said := ping("u", "192.168.53.98", "-M", "do", "-s", "1400", seconds=1)) and
                    "mtu" in said and said, "ping is told that its packet is too big")
    assert f"mtu = {fits}" in text or f"mtu={fits}" in text, text
    assert tunnels.drops("lab")["too-big"][0] >= 1
    assert "192.168.53.99 -> 192.168.53.98" in tunnels.drops("lab")["too-big"][1]
    assert answered(ping("u", "192.168.53.98", "-M", "do", "-s", str(fits - 28)))
    assert not answered(ping("u", "192.168.53.98", "-M", "do", "-s", str(fits - 27), seconds=1))


@pytest.mark.parametrize("kind, outside, fits", [("tun", OVER_4, NARROW - 28), ("tun", OVER_6, NARROW - 48),
                                                 ("tap", OVER_4, NARROW - 42)])
def test_an_ipv6_packet_too_big_is_answered_so_too(narrow, tunnels, kind, outside, fits):
    start_both(tunnels, outside, kind)
    text = wait_for(lambda: (said := ping("u", "fd53::98", "-M", "do", "-s", "1380", seconds=1)) and
                    "mtu" in said and said, "ping is told that its packet is too big")
    assert f"mtu = {fits}" in text or f"mtu={fits}" in text, text
    assert answered(ping("u", "fd53::98", "-M", "do", "-s", str(fits - 48)))


@pytest.mark.parametrize("kind, outside", [("tun", OVER_4), ("tun", OVER_6), ("tap", OVER_4)])
def test_a_packet_that_may_be_fragmented_passes_in_pieces(narrow, tunnels, kind, outside):
    start_both(tunnels, outside, kind)
    assert pings("u", "192.168.53.98", "-M", "dont", "-s", "1400")
    before = tunnels.drops("lab").get("too-big", (0, ""))[0]
    assert answered(ping("u", "192.168.53.98", "-M", "dont", "-s", "1400", count=3)) == 3
    assert answered(ping("u", "192.168.53.98", "-M", "dont", "-s", "20000", count=2)) == 2
    assert tunnels.drops("lab").get("too-big", (0, ""))[0] == before


def transfer(listener, source, target_address, data):
    """Sends data over TCP from host `source` to the listener; returns what arrived."""
    arrived = []

    def receive():
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(60)
            while block := connection.recv(65536):
                arrived.append(block)

    receiver = threading.Thread(target=receive)
    receiver.start()
    with tcp_connect(source, target_address, listener.getsockname()[1]) as sender:
        sender.sendall(data)
    receiver.join(60)
    return b"".join(arrived)


@pytest.mark.parametrize("kind, outside", [("tun", OVER_4), ("tun", OVER_6), ("tap", OVER_4)])
def test_a_tcp_transfer_survives_the_narrow_place_in_both_directions(narrow, tunnels, kind, outside):
    start_both(tunnels, outside, kind)
    data = os.urandom(1 << 20)
    digest = hashlib.sha256(data).digest()
    for address in ("192.168.53.98", "fd53::98"):
        with tcp_listener("server", address, 7000) as listener:
            assert hashlib.sha256(transfer(listener, "u", address, data)).digest() == digest
    for address in ("192.168.53.99", "fd53::99"):
        with tcp_listener("u", address, 7001) as listener:
            assert hashlib.sha256(transfer(listener, "server", address, data)).digest() == digest


@pytest.mark.parametrize("kind, outside", [("tun", OVER_4), ("tun", OVER_6), ("tap", OVER_4)])
def test_ipv6_passes_where_the_path_leaves_less_than_the_1280_bytes_it_needs(narrow, tunnels, kind, outside):
    for host, name in (("router", "eth1"), ("server", "eth0")):
        run("ip", "link", "set", name, "mtu", "1280", netns=host)
    start_both(tunnels, outside, kind)
    assert pings("u", "fd53::98", "-M", "do", "-s", "1232"), "1280 bytes inside"
    before = tunnels.drops("lab").get("too-big", (0, ""))[0]
    assert answered(ping("u", "fd53::98", "-M", "do", "-s", "1232", count=3)) == 3
    assert tunnels.drops("lab").get("too-big", (0, ""))[0] == before
    data = os.urandom(1 << 18)
    with tcp_listener("server", "fd53::98", 7000) as listener:
        assert transfer(listener, "u", "fd53::98", data) == data


def test_a_path_that_becomes_narrow_while_the_tunnel_runs(pair, tunnels):
    tunnels.run("server", server_profile())
    tunnels.run("lab", client_profile())
    assert pings("u", "192.168.53.98", "-M", "do", "-s", "1444")
    run("ip", "link", "set", "eth0", "mtu", "1320", netns="u")
    text = ping("u", "192.168.53.98", "-M", "do", "-s", "1400")
    assert "mtu = 1292" in text or "mtu=1292" in text, text
    assert answered(ping("u", "192.168.53.98", "-M", "do", "-s", "1264"))
