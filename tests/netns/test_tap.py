"""TAP tunnels: Ethernet between two and three hosts, and where the frames of an address go."""
import socket

import pytest
from conftest import PORT, client_profile, port_of, server_profile

from harness.host import run
from harness.network import answered, inside, ping, pings
from harness.packets import ethernet
from harness.profile import peer, profile
from harness.waiting import wait_for
from harness.wire import Wire

MACS = {"u": "02:00:00:00:53:63", "server": "02:00:00:00:53:62"}


def neighbour(netns, address):
    """The Ethernet address a host has found for an IP address on its TAP interface."""
    words = run("ip", "neighbour", "show", address, "dev", "tap0", netns=netns).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None


@pytest.mark.parametrize("outside", ["10.0.2.8", "[fd02::8]"])
def test_two_hosts_find_each_other_by_arp_and_neighbour_discovery(pair, tunnels, outside):
    tunnels.run("server", server_profile(kind="tap", name="tap0", mac=MACS["server"], peers=[peer("u")]))
    tunnels.run("lab", client_profile(kind="tap", name="tap0", mac=MACS["u"],
                                      peers=[peer("server", endpoint=f"{outside}:{PORT}")]))
    for address in ("192.168.53.98", "fd53::98"):
        assert pings("u", address)
        assert neighbour("u", address) == MACS["server"]
    assert answered(ping("server", "192.168.53.99", "-s", "1300", count=3)) == 3
    assert answered(ping("server", "fd53::99", "-s", "1300", count=3)) == 3
    assert neighbour("server", "192.168.53.99") == MACS["u"]


def test_a_client_started_again_is_found_again_although_nothing_of_it_is_as_before(pair, tunnels):
    tunnels.run("server", server_profile(kind="tap", name="tap0", peers=[peer("u")]))
    tunnels.run("lab", client_profile(kind="tap", name="tap0", peers=[peer("server", endpoint=f"10.0.2.8:{PORT}")]))
    assert pings("u", "192.168.53.98")
    before = tunnels.peer("server", "u")["endpoint"], neighbour("server", "192.168.53.99")
    tunnels.client.stop("lab")
    with port_of("u", before[0]):
        tunnels.client.start("lab")
    assert pings("u", "192.168.53.98")
    after = tunnels.peer("server", "u")["endpoint"], neighbour("server", "192.168.53.99")
    assert before[0] != after[0] and before[1] != after[1]


@pytest.fixture
def three(network, tunnels):
    """Hosts a and b with the server between them: one Ethernet segment 192.168.53.0/24."""
    network.host("server", "a", "b")
    for i, name in ((1, "a"), (2, "b")):
        network.wire((name, "eth0", f"10.0.{i}.2/24"), ("server", f"eth{i}", f"10.0.{i}.1/24"))
    tunnels.run("server", server_profile(kind="tap", name="tap0", address="192.168.53.98/24",
                                         peers=[peer("a"), peer("b")]))
    for i, name in ((1, "a"), (2, "b")):
        tunnels.run(name, profile(kind="tap", name="tap0", address=f"192.168.53.{i}/24", mac=f"02:00:00:00:53:0{i}",
                                  netns=name, peers=[peer("server", endpoint=f"10.0.{i}.1:{PORT}")]))
        assert pings(name, "192.168.53.98")
    return tunnels


def test_frames_between_two_clients_are_switched_by_the_session_and_do_not_enter_the_server(three):
    assert pings("a", "192.168.53.2")
    assert neighbour("a", "192.168.53.2") == "02:00:00:00:53:02"
    assert neighbour("b", "192.168.53.1") == "02:00:00:00:53:01"
    assert run("sysctl", "-n", "net.ipv4.ip_forward", netns="server").strip() == "0"
    with Wire("server", "tap0") as interface:
        replies = ping("a", "192.168.53.2", count=20)
        assert answered(replies) == 20 and "ttl=64" in replies, "switched, not routed"
        assert interface.packets() == [], "unicast frames of others stay out of the interface"


def test_a_broadcast_reaches_everybody(three):
    heard = {}
    for name in ("server", "b"):
        with inside(name):
            heard[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard[name].bind(("", 5353))
        heard[name].settimeout(60)
    with inside("a"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.sendto(b"to all", ("192.168.53.255", 5353))
    for name, listener in heard.items():
        assert listener.recvfrom(100) == (b"to all", ("192.168.53.1", sender.getsockname()[1])), name
        listener.close()
    sender.close()


def test_an_address_that_moves_to_another_client_is_followed(three):
    """Host a goes; its IP and Ethernet address appear on b."""
    assert pings("server", "192.168.53.1") and pings("server", "192.168.53.2")
    three.client.stop("a")
    three.client.stop("b")
    three.rerun("b", profile(kind="tap", name="tap0", address="192.168.53.1/24", mac="02:00:00:00:53:01", netns="b",
                             peers=[peer("server", endpoint=f"10.0.2.1:{PORT}")]))
    assert pings("b", "192.168.53.98"), "b speaks, from where a's address was not"
    assert pings("server", "192.168.53.1")
    assert neighbour("server", "192.168.53.1") == "02:00:00:00:53:01"


def test_an_address_that_claims_to_be_everywhere_does_not_cut_others_off(three):
    """The server's own Ethernet address cannot be taken over from outside."""
    assert pings("a", "192.168.53.98")
    own = run("cat", "/sys/class/net/tap0/address", netns="server").strip()
    with inside("b"):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("tap0", 0))
    for _ in range(20):
        raw.send(ethernet(own, "ff:ff:ff:ff:ff:ff", b"\0" * 46, kind=0x88B5))
    raw.close()
    wait_for(lambda: three.drops("server").get("loop", (0, ""))[0] >= 20, "the forged frames are dropped")
    assert answered(ping("a", "192.168.53.98", count=3)) == 3
    assert answered(ping("server", "192.168.53.1", count=3)) == 3


def test_a_client_that_restarts_with_a_new_ethernet_address_is_found_again(three):
    assert pings("server", "192.168.53.1")
    run("ip", "link", "set", "tap0", "address", "02:00:00:00:53:11", netns="a")
    run("ip", "neighbour", "flush", "all", netns="server")
    assert pings("a", "192.168.53.98") and pings("server", "192.168.53.1")
    assert neighbour("server", "192.168.53.1") == "02:00:00:00:53:11"
