"""While a tunnel runs the host has exactly what the profile says; afterwards, however it ended, what it had before."""
import json
import os
import signal

import pytest
from conftest import PORT, client_profile, server_profile

from harness.bus import DBusError
from harness.host import link, run, unchanged_host
from harness.network import udp_socket, write_sysctl
from harness.profile import peer, profile

OURS = [peer("u", "192.168.53.99/32", "fd53::99/128", "10.99.0.0/16", "fd99::/48"),
        peer("w", "192.168.53.100/32", "10.98.1.0/24", endpoint="10.0.2.9:9090")]
ADDRESSES = ["192.168.53.98/24", "10.44.0.1/32", "fd53::98/64", "fd44::1/128"]


@pytest.fixture
def host(pair):
    """The server with a second interface, towards an intranet."""
    pair.host("v")
    pair.wire(("server", "eth1", "192.168.60.1/24"), ("v", "eth0", "192.168.60.101/24"))
    write_sysctl("server", "ipv4/ip_forward", 0)
    return "server"


def everything(**changes):
    settings = dict(name="vpn%d", address=ADDRESSES, mtu=1380, peers=OURS,
                    routing={"routes": ["10.99.1.0/24", "10.98.1.0/24", "fd99:0:0:1::/64"], "forwarding": ["eth1"],
                             "masquerade": True})
    return server_profile(**{**settings, **changes})


def interface(netns, name):
    return json.loads(run("ip", "-j", "address", "show", "dev", name, netns=netns))[0]


def addresses(netns, name):
    return sorted(f"{info['local']}/{info['prefixlen']}" for info in interface(netns, name)["addr_info"]
                  if info["scope"] != "link")


def routes(netns, name):
    """Of the main table through the interface, but for those that the kernel made from the addresses."""
    found = []
    for family in ("-4", "-6"):
        listed = json.loads(run("ip", "-j", family, "route", "show", "dev", name, netns=netns) or "[]")
        found += [route["dst"] for route in listed if route.get("protocol") != "kernel"]
    return sorted(found)


def forwards(netns, name):
    return run("sysctl", "-n", f"net.ipv4.conf.{name}.forwarding", netns=netns).strip() == "1"


def masqueraded(netns):
    """[(incoming, outgoing)] of the rules that rewrite sources."""
    rules = [item["rule"] for item in json.loads(run("nft", "-j", "list", "ruleset", netns=netns))["nftables"]
             if "rule" in item and "masquerade" in item["rule"]["expr"][-1]]
    found = []
    for rule in rules:
        matches = {part["match"]["left"]["meta"]["key"]: (part["match"]["op"], part["match"]["right"])
                   for part in rule["expr"] if "match" in part}
        found.append((matches["iif"], matches["oif"]))
    return found


def test_the_host_has_what_the_profile_says_and_nothing_else(host, tunnels):
    with unchanged_host(host):
        tunnels.run("server", everything())
        status = tunnels.client.status("server")
        assert status["interface"] == "vpn0" and status["netns"] == host
        shown = interface(host, "vpn0")
        assert shown["mtu"] == 1380 == status["mtu"] and "UP" in shown["flags"]
        assert addresses(host, "vpn0") == sorted(ADDRESSES) == sorted(status["addresses"])
        assert routes(host, "vpn0") == sorted(["10.99.1.0/24", "10.98.1.0/24", "fd99:0:0:1::/64"]) == sorted(
            status["routes"])
        assert forwards(host, "vpn0") and forwards(host, "eth1") and status["forwarding"]
        assert not forwards(host, "eth0"), "only where the profile says"
        assert masqueraded(host) == [(("==", "vpn0"), ("!=", "vpn0"))] and status["masquerade"]
        assert f":{PORT} " in run("ss", "-Hlun", netns=host) and status["listen-port"] == PORT
        tunnels.client.stop("server")


@pytest.mark.parametrize("mode, expected", [
    ("auto", ["10.99.0.0/16", "fd99::/48", "10.98.1.0/24", "192.168.53.99", "192.168.53.100", "fd53::99"]),
    ("off", [])])
def test_automatic_routes_are_the_allowed_ips_and_off_is_none(host, tunnels, mode, expected):
    with unchanged_host(host):
        tunnels.run("server", everything(routing={"routes": mode}))
        assert routes(host, "vpn0") == sorted(expected)
        assert not forwards(host, "vpn0") and not forwards(host, "eth1") and masqueraded(host) == []
        tunnels.client.stop("server")


def test_an_interface_that_stays_down_has_no_routes(host, tunnels):
    with unchanged_host(host):
        tunnels.run("server", everything(up=False, routing=None))
        assert "UP" not in interface(host, "vpn0")["flags"] and routes(host, "vpn0") == []
        tunnels.client.stop("server")


def test_a_created_namespace_has_the_interface_and_loopback_and_goes_with_the_tunnel(host, tunnels):
    box = {"mode": "create", "name": "box"}
    with unchanged_host(host):
        tunnels.run("box", everything(netns=box, listen_port=9099, routing={"forwarding": True, "masquerade": True}))
        names = {entry["ifname"] for entry in json.loads(run("ip", "-j", "link", "show", "up", netns="box"))}
        assert names == {"lo", "vpn0"}
        assert addresses("box", "vpn0") == sorted(ADDRESSES)
        assert "10.99.0.0/16" in routes("box", "vpn0") and forwards("box", "vpn0")
        assert masqueraded("box") == [(("==", "vpn0"), ("!=", "vpn0"))]
        assert ":9099 " in run("ss", "-Hlun") and ":9099 " not in run("ss", "-Hlun", netns="box")
        tunnels.client.stop("box")


def kill_session(tunnels, name):
    os.kill(tunnels.client.status(name)["pid"], signal.SIGKILL)
    tunnels.wait_state(name, "failed")


def test_after_a_crash_the_next_start_and_stop_leave_nothing(host, tunnels):
    with unchanged_host(host):
        for _ in range(2):
            tunnels.run("server", everything())
            kill_session(tunnels, "server")
        assert "vpn0" in run("ip", "link", "show", netns=host), "it waits for the next start"
        tunnels.client.start("server")
        assert masqueraded(host) == [(("==", "vpn0"), ("!=", "vpn0"))] and forwards(host, "eth1")
        tunnels.client.stop("server")


def test_after_a_crash_a_start_without_masquerade_takes_the_old_rules_away(host, tunnels):
    tunnels.run("server", everything())
    kill_session(tunnels, "server")
    assert masqueraded(host) != []
    tunnels.manager.write_profile("server", everything(routing=None))
    tunnels.client.start("server")
    assert masqueraded(host) == []


def test_after_a_crash_a_created_namespace_is_taken_over_and_removed(tunnels):
    with unchanged_host():
        tunnels.run("box", everything(netns={"mode": "create", "name": "box"}, routing={"masquerade": True,
                                                                                       "forwarding": True}))
        kill_session(tunnels, "box")
        tunnels.client.start("box")
        assert addresses("box", "vpn0") == sorted(ADDRESSES)
        tunnels.client.stop("box")


def test_forwarding_that_was_on_before_stays_on(host, tunnels):
    write_sysctl(host, "ipv4/conf/eth1/forwarding", 1)
    with unchanged_host(host):
        tunnels.run("server", everything())
        kill_session(tunnels, "server")
        tunnels.client.start("server")
        tunnels.client.stop("server")
        assert forwards(host, "eth1")


def test_two_tunnels_that_forward_from_one_interface_stop_in_any_order(host, tunnels):
    second = server_profile(name="tun1", address="192.168.54.98/24", listen_port=9091,
                            peers=[peer("other", "192.168.54.99/32")], routing={"forwarding": ["eth1"]})
    for first_to_go, last_to_go in (("server", "second"), ("second", "server")):
        with unchanged_host(host):
            tunnels.run("server", everything())
            tunnels.run("second", second)
            tunnels.client.stop(first_to_go)
            assert forwards(host, "eth1"), f"{last_to_go} still needs it"
            assert tunnels.client.status(last_to_go)["forwarding"]
            tunnels.client.stop(last_to_go)


def refused(tunnels, error):
    with pytest.raises(DBusError) as failure:
        tunnels.client.start("server")
    assert failure.value.name == f"org.vpntun1.Error.{error}", failure.value


def test_a_start_that_fails_leaves_nothing(host, tunnels):
    tunnels.profile("server", everything(name="vpn0"))
    with unchanged_host(host):
        with link("vpn0", "type", "veth", netns=host):
            refused(tunnels, "InterfaceExists")
        with link("other", "type", "veth", address="10.44.0.1/32", netns=host):
            refused(tunnels, "AddressInUse")
        with link("other", "type", "veth", address="fd44::1/128", netns=host):
            refused(tunnels, "AddressInUse")
        with link("other", "type", "veth", address="10.99.1.1/24", netns=host):
            refused(tunnels, "RouteConflict")
        with udp_socket(host, "0.0.0.0", PORT):
            refused(tunnels, "AddressInUse")
    tunnels.manager.write_profile("server", everything(routing={"forwarding": ["eth1", "eth9"], "masquerade": True}))
    with unchanged_host(host):
        with pytest.raises(DBusError):
            tunnels.client.start("server")
    tunnels.manager.write_profile("server", everything())
    with unchanged_host(host):
        tunnels.client.start("server")
        tunnels.client.stop("server")


def test_a_namespace_made_for_a_start_that_fails_is_removed(tunnels):
    tunnels.profile("box", profile(name="tun0", address="192.168.53.99/24", netns={"mode": "create", "name": "box"},
                                   routing={"forwarding": ["eth9"]}, peers=[peer("u", "10.1.0.0/16")],
                                   listen_port=PORT))
    with unchanged_host():
        with pytest.raises(DBusError):
            tunnels.client.start("box")
        assert not os.path.exists("/run/netns/box")


def test_many_starts_and_stops_leave_nothing(host, tunnels):
    with unchanged_host(host, "u"):
        tunnels.profile("server", everything())
        tunnels.profile("lab", client_profile())
        for _ in range(5):
            tunnels.client.start("server")
            tunnels.client.start("lab")
            tunnels.client.stop("server")
            tunnels.client.stop("lab")
