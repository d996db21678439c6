"""A default route into the tunnel: everything goes in, the tunnel's own datagrams stay out, nothing is left."""
import ipaddress
import json
import os
import signal
import socket
import threading

import pytest
from conftest import PORT, server_profile

from harness.bus import DBusError
from harness.host import run, unchanged_host
from harness.network import add_route, answered, packet_socket, ping, pings, write_sysctl
from harness.profile import peer, profile
from harness.waiting import wait_for
from harness.wire import stays_on_the_link
from harness.wireguard import Keys

FAR = {4: "203.0.113.5", 6: "2001:db8:5::5"}  # a host somewhere: the tunnel's server, and the router knows a way past
SERVER = {4: "198.51.100.8", 6: "2001:db8:1::8"}
LAN = {4: "10.0.2.9", 6: "fd02::9"}
ALL = {4: ["0.0.0.0/0"], 6: ["::/0"], 46: ["0.0.0.0/0", "::/0"]}
PUBLIC = {"allow-public-plaintext": True}


@pytest.fixture
def world(network):
    """u and a neighbour in one network, a router, the server behind it. FAR answers whichever way packets come."""
    network.host("u", "neighbour", "server")
    network.host("router", forwarding=True)
    run("ip", "link", "add", "lan0", "type", "bridge", netns="router")
    for host, number in (("u", 7), ("neighbour", 9)):
        network.wire((host, "eth0", f"10.0.2.{number}/24", f"fd02::{number}/64"), ("router", host))
        run("ip", "link", "set", host, "master", "lan0", netns="router")
    for address in ("10.0.2.1/24", "fd02::1/64"):
        run("ip", "address", "add", address, "dev", "lan0", netns="router")
    run("ip", "link", "set", "lan0", "up", netns="router")
    network.wire(("router", "wan", "198.51.100.1/24", "2001:db8:1::1/64"),
                 ("server", "eth0", "198.51.100.8/24", "2001:db8:1::8/64"))
    for family, gateway, back in ((4, "10.0.2.1", "198.51.100.1"), (6, "fd02::1", "2001:db8:1::1")):
        for host in ("u", "neighbour"):
            add_route(host, "default", "via", gateway)
        add_route("server", "default", "via", back)
        run("ip", "address", "add", FAR[family], "dev", "lo", netns="server")
        add_route("router", FAR[family], "via", SERVER[family])
    wait_for(lambda: all(answered(ping("u", FAR[family])) for family in (4, 6)), "u reaches everything")
    return network


@pytest.fixture
def far(world, tunnels):
    tunnels.run("server", server_profile(peers=[peer("u", "192.168.53.99/32", "fd53::99/128")]))
    return tunnels


def full_profile(families=46, outer=4, allowed=None, name="tun0", **changes):
    endpoint = f"{SERVER[outer]}:{PORT}" if outer == 4 else f"[{SERVER[6]}]:{PORT}"
    settings = dict(name=name, address=["192.168.53.99/24", "fd53::99/64"], netns="u", tunnel=PUBLIC,
                    peers=[peer("server", *(allowed or ALL[families]), endpoint=endpoint)])
    return profile(**{**settings, **changes})


class Wire:
    """What comes in on an interface meanwhile, by default from u to its router: the destinations of IP packets,
    datagrams of tunnels apart. What neighbours say to find each other is nothing."""

    def __init__(self, netns="router", interface="u"):
        self.netns, self.interface = netns, interface

    def __enter__(self):
        self.socket = packet_socket(self.netns, self.interface, socket.SOCK_RAW)
        self.socket.settimeout(0.1)
        self.done = threading.Event()
        self.seen, self.tunnelled = set(), 0
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        """Until nothing is left of what came before the end."""
        while True:
            ending = self.done.is_set()
            try:
                frame, (_, _, kind, _, _) = self.socket.recvfrom(65535)
            except TimeoutError:
                if ending:
                    return
                continue
            if kind != socket.PACKET_OUTGOING:
                self.take(frame[14:], frame[12:14])

    def take(self, packet, ethertype):
        if ethertype not in (b"\x08\x00", b"\x86\xdd") or stays_on_the_link(packet):
            return
        if ethertype == b"\x08\x00":
            destination, protocol, rest = packet[16:20], packet[9], packet[20:]
        else:
            destination, protocol, rest = packet[24:40], packet[6], packet[40:]
        if protocol == socket.IPPROTO_UDP and int.from_bytes(rest[2:4], "big") == PORT:
            self.tunnelled += 1
        else:
            self.seen.add(str(ipaddress.ip_address(destination)))

    def __exit__(self, *_):
        self.done.wait(0.2)
        self.done.set()
        self.thread.join()
        self.socket.close()


def kill(tunnels, name):
    os.kill(tunnels.client.status(name)["pid"], signal.SIGKILL)
    tunnels.wait_state(name, "failed")


def rules(netns):
    return [rule for family in ("-4", "-6") for rule in json.loads(run("ip", "-j", family, "rule", netns=netns))
            if str(rule.get("protocol")) == "117"]


def without_rules():
    """Takes those of tunnel lab away; its session puts them back when it looks at its host."""
    run("nft", "delete", "table", "inet", "vpntun-routing_lab", netns="u", check=False)


def strict_source_checks(netns):
    for scope in ("all", "default", "eth0"):
        write_sysctl(netns, f"ipv4/conf/{scope}/rp_filter", 1)


def finding_codes(tunnels, name):
    return [finding["code"] for finding in tunnels.client.status(name)["findings"]]


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("families", [4, 6, 46])
def test_everything_of_the_family_goes_in_and_nothing_loops(far, families, outer):
    with unchanged_host("u"):
        far.run("lab", full_profile(families, outer))
        assert sorted(far.client.status("lab")["routes"]) == sorted(ALL[families])
        with Wire() as wire:
            for family in (4, 6):
                assert pings("u", FAR[family]), "both ways lead there"
                assert pings("u", LAN[family]), "the own network is not far"
        assert wire.tunnelled >= 1
        for family in (4, 6):
            assert (FAR[family] in wire.seen) == (str(family) not in str(families)), family
            assert LAN[family] in wire.seen
        assert "endpoint-through-tunnel" not in finding_codes(far, "lab")
        far.client.stop("lab")
    assert pings("u", FAR[4]) and pings("u", FAR[6]), "as it was"


@pytest.mark.parametrize("families", [4, 46])
def test_strict_source_checks_let_answers_of_the_peer_in(far, families):
    strict_source_checks("u")
    with unchanged_host("u"):
        far.run("lab", full_profile(families))
        assert pings("u", FAR[4]), "the way back of an answer is the one that its datagram would take"
        valid = run("sysctl", "-n", "net.ipv4.conf.eth0.src_valid_mark", netns="u").strip()
        assert valid == "1"
        far.client.stop("lab")
        assert run("sysctl", "-n", "net.ipv4.conf.eth0.src_valid_mark", netns="u").strip() == "0"


def test_without_the_mark_the_strict_check_would_refuse_them(far):
    strict_source_checks("u")
    far.run("lab", full_profile(4))
    assert pings("u", FAR[4])

    def refused():
        without_rules()
        return not answered(ping("u", FAR[4], seconds=1))

    wait_for(refused, "else the test before proves nothing")


def test_an_interface_that_comes_later_is_looked_after_too(far, world):
    strict_source_checks("u")
    far.run("lab", full_profile(4))
    world.wire(("u", "eth1", "10.0.3.7/24"), ("neighbour", "eth1", "10.0.3.9/24"))
    wait_for(lambda: run("sysctl", "-n", "net.ipv4.conf.eth1.src_valid_mark", netns="u").strip() == "1", "eth1 is ready")


def test_the_tunnels_addresses_are_closed_to_neighbours(far):
    far.run("lab", full_profile(4))
    add_route("neighbour", "192.168.53.99/32", "via", "10.0.2.7")
    assert not answered(ping("neighbour", "192.168.53.99", seconds=1))

    def is_open():
        without_rules()
        return answered(ping("neighbour", "192.168.53.99", seconds=1))

    wait_for(is_open, "it was the rule")


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_a_session_that_follows_finds_its_own_again(far, end):
    with unchanged_host("u"):
        far.run("lab", full_profile())
        before = rules("u")
        assert len(before) == 4
        if end == "restart":
            far.client.restart("lab")
        else:
            kill(far, "lab")
            assert rules("u") == before, "the interface is there, and so is the way into it"
            far.client.start("lab")
        assert rules("u") == before
        assert pings("u", FAR[4]) and pings("u", FAR[6])
        far.client.stop("lab")


def test_what_a_crash_left_is_swept_at_the_next_start_of_any_tunnel(far):
    with unchanged_host("u"):
        far.run("lab", full_profile())
        kill(far, "lab")
        far.client.stop("lab")  # lets the interface go, and no session is there to do more
        wait_for(lambda: "tun0" not in run("ip", "link", "show", netns="u"), "the interface is gone")
        assert rules("u")
        far.run("other", profile(name="tun7", address="10.77.0.1/24", netns="u", listen_port=9191,
                                 peers=[peer("x", "10.77.0.2/32")]))
        assert not rules("u")
        far.client.start("lab")
        far.client.stop("lab")
        far.client.stop("other")


def test_a_second_tunnel_beside_it_keeps_its_own_way(far):
    far.run("second-server", server_profile(name="tun1", address="192.168.54.98/24", listen_port=PORT + 1,
                                            peers=[peer("u", "192.168.54.99/32")]))
    with unchanged_host("u"):
        far.run("lab", full_profile(4))
        far.run("second", profile(name="tun1", address="192.168.54.99/24", netns="u", tunnel=PUBLIC,
                                  peers=[peer("s", "192.168.54.0/24", endpoint=f"{SERVER[4]}:{PORT + 1}")]))
        assert pings("u", "192.168.54.98") and pings("u", FAR[4])
        far.client.stop("lab")
        assert pings("u", "192.168.54.98")
        far.client.start("lab")
        assert pings("u", FAR[4])
        far.client.stop("second")
        far.client.stop("lab")


def test_two_default_routes_of_one_family_are_refused_and_of_two_are_not(far):
    far.run("lab", full_profile(4))
    before = run("ip", "rule", netns="u")
    far.profile("second", full_profile(46, name="tun1", address=["192.168.54.99/24", "fd54::99/64"]))
    with pytest.raises(DBusError) as failure:
        far.client.start("second")
    assert failure.value.name == "org.vpntun1.Error.RouteConflict" and "lab" in str(failure.value)
    assert run("ip", "rule", netns="u") == before and pings("u", FAR[4])
    far.manager.write_profile("second", full_profile(6, name="tun1", address=["192.168.54.99/24", "fd54::99/64"]))
    far.client.start("second")
    assert pings("u", FAR[4])


def test_rules_that_somebody_removes_are_put_back(far):
    far.run("lab", full_profile())
    before = rules("u")
    run("ip", "rule", "flush", "protocol", "117", netns="u")
    wait_for(lambda: rules("u") == before, "the rules are back")


def test_a_default_route_comes_and_goes_by_reload(far):
    plain = full_profile(allowed=["192.168.53.0/24"])
    far.run("lab", plain)
    with unchanged_host("u"):
        far.manager.write_profile("lab", full_profile(4))
        far.client.call(far.client.MANAGER, "Reload", "sa{sv}", "lab", {})
        with Wire() as wire:
            assert pings("u", FAR[4])
        assert FAR[4] not in wire.seen
        far.manager.write_profile("lab", plain)
        far.client.call(far.client.MANAGER, "Reload", "sa{sv}", "lab", {})


def test_a_namespace_of_its_own_just_has_the_default_route(far):
    with unchanged_host():
        far.run("box", full_profile(allowed=ALL[46] + ["10.9.0.0/16"], listen_port=9099,
                                    netns={"mode": "create", "name": "box"}))
        assert "default dev tun0" in run("ip", "route", netns="box") and rules("box") == [] and rules(None) == []
        far.client.stop("box")


@pytest.mark.parametrize("outer, inner", [(4, 6), (6, 4)])
def test_a_family_inside_needs_none_of_it_outside(network, tunnels, outer, inner):
    network.host("u", "server")
    network.wire(("u", "eth0", {4: "10.0.2.7/24", 6: "fd02::7/64"}[outer]),
                 ("server", "eth0", {4: "10.0.2.8/24", 6: "fd02::8/64"}[outer]))
    endpoint = {4: f"10.0.2.8:{PORT}", 6: f"[fd02::8]:{PORT}"}[outer]
    address = {4: ("192.168.53.99/24", "192.168.53.98/24"), 6: ("fd53::99/64", "fd53::98/64")}[inner]
    tunnels.run("server", server_profile(address=address[1], peers=[peer("u", *ALL[inner])], tunnel=PUBLIC))
    tunnels.run("lab", full_profile(address=address[0], peers=[peer("server", *ALL[inner], endpoint=endpoint)]))
    assert pings("u", address[1].split("/", maxsplit=1)[0])


class Locked:
    """This host itself as the client of an encrypted tunnel, with a default route past it; FAR is at the server."""

    def __init__(self, tunnels):
        self.tunnels, self.keys, self.server = tunnels, Keys(), Keys()

    def start(self, mode, allowed=("0.0.0.0/0", "::/0"), **routing):
        self.tunnels.profile("lab", profile(
            name="tun0", address=["192.168.53.99/24", "fd53::99/64"], encryption="wireguard",
            private_key=self.keys.private, routing={"kill-switch.mode": mode, **routing},
            peers=[peer("server", *allowed, endpoint=f"10.0.2.8:{PORT}", public_key=self.server.public)]))
        self.tunnels.client.start("lab")

    def leaks(self):
        """What goes past the tunnel while everything is tried."""
        with Wire("server", "eth0") as wire:
            for target in (*FAR.values(), "192.168.53.98", "10.0.2.8"):
                ping(None, target, seconds=1)
        return wire.seen


@pytest.fixture
def locked(network, tunnels):
    network.host("server")
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "server")
    made = Locked(tunnels)
    try:
        for netns, number in ((None, 7), ("server", 8)):
            for address in (f"10.0.2.{number}/24", f"fd02::{number}/64"):
                run("ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []), netns=netns)
            run("ip", "link", "set", "eth0", "up", netns=netns)
        for family, gateway in ((4, "10.0.2.8"), (6, "fd02::8")):
            run("ip", "address", "add", FAR[family], "dev", "lo", netns="server")
            add_route(None, "default", "via", gateway)
        tunnels.run("server", server_profile(encryption="wireguard", private_key=made.server.private, peers=[
            peer("u", "192.168.53.99/32", "fd53::99/128", public_key=made.keys.public)]))
        yield made
    finally:
        run("ip", "link", "delete", "eth0", check=False)
        run("nft", "delete", "table", "inet", "vpntun-killswitch_lab", check=False)
        run("ip", "rule", "flush", "protocol", "117", check=False)
        run("ip", "-6", "rule", "flush", "protocol", "117", check=False)


@pytest.mark.parametrize("mode", ["while-up", "always"])
def test_with_a_kill_switch_nothing_leaves_past_the_tunnel_whatever_ends_the_session(locked, mode):
    locked.start(mode)
    assert pings(None, FAR[4]) and pings(None, FAR[6]) and locked.leaks() == set()
    kill(locked.tunnels, "lab")
    assert locked.leaks() == set()
    run("ip", "link", "delete", "tun0")
    assert locked.leaks() == set(), "the interface is gone, the lock is not"
    locked.tunnels.client.start("lab")
    assert pings(None, FAR[4])
    locked.tunnels.client.stop("lab")
    assert locked.leaks() == (set() if mode == "always" else {*FAR.values(), "192.168.53.98", "10.0.2.8"})


def test_status_shows_mark_table_and_kill_switch(locked):
    locked.start("while-up")
    status = locked.tunnels.client.status("lab")
    assert f"fwmark {status['fwmark']:#x} lookup {status['table']}" in run("ip", "rule") and status["fwmark"] != 0
    assert status["kill-switch"] == "while-up"
    locked.start("off", allowed=["192.168.60.0/24"], table=77)
    locked.tunnels.client.restart("lab")
    status = locked.tunnels.client.status("lab")
    assert (status["table"], status["kill-switch"]) == (77, "off")


def test_a_kill_switch_can_leave_the_lan_alone(locked):
    locked.start("while-up", **{"kill-switch.allow-lan": True})
    assert pings(None, "10.0.2.8") and pings(None, FAR[4])
    kill(locked.tunnels, "lab")
    run("ip", "link", "delete", "tun0")
    assert locked.leaks() == {"10.0.2.8"}, "the tunnel's own network is no LAN"


def test_a_family_that_is_not_routed_is_refused_at_once(locked):
    locked.start("off", allowed=("0.0.0.0/0",))
    assert pings(None, FAR[4])
    assert "unreachable" in run("sh", "-c", f"ping -c 1 {FAR[6]} 2>&1 || true").lower()
    assert locked.leaks() == {"10.0.2.8"}
