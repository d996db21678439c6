"""A changed profile is put into a running tunnel, on the real kernel, while packets flow."""
import json
import time

import pytest
from conftest import PORT, SERVER, client_profile, server_profile

from harness.bus import DBusError
from harness.host import host_state, run, unchanged_host
from harness.network import Pings, answered, ping, pings
from harness.profile import peer


def reload(tunnels, name, text):
    """The keys applied and those that need a restart."""
    result = tunnels.reload(name, text)
    assert result["unchanged"] == (not result["applied"] and not result["needs-restart"])
    return result["applied"], result["needs-restart"]


def addresses(netns, interface="tun0"):
    shown = json.loads(run("ip", "-j", "address", "show", "dev", interface, netns=netns))[0]
    return sorted(info["local"] for info in shown["addr_info"] if info["scope"] == "global")


def own_routes(netns, interface="tun0"):
    return sorted(route["dst"] for family in ("-4", "-6") for route in json.loads(
        run("ip", "-j", family, "route", "show", "dev", interface, "proto", "117", netns=netns)))


def link(netns, interface="tun0"):
    return json.loads(run("ip", "-j", "link", "show", "dev", interface, netns=netns))[0]


def to_server(*more, endpoint=f"10.0.2.8:{PORT}"):
    return peer("server", "192.168.53.0/24", "fd53::/64", *more, endpoint=endpoint)


def test_an_unchanged_peer_loses_no_packet_over_many_reloads(running):
    index, pid = link("u")["ifindex"], running.client.status("lab")["pid"]
    other = peer("other", "192.168.70.0/24", endpoint="10.0.2.9:9090")
    changes = [dict(peers=[other, to_server()], mtu=1400),
               dict(peers=[to_server("192.168.60.0/24")], address=["192.168.53.99/24", "fd53::99/64", "192.168.77.1/24"]),
               dict(peers=[to_server(), other], routing={"routes": ["192.168.53.0/25"]}),
               dict(mtu=1300, routing={"forwarding": ["eth0"], "masquerade": True}),
               dict()]
    with Pings("u", SERVER) as sent:
        for turn in range(20):
            applied, later = reload(running, "lab", client_profile(**changes[turn % len(changes)]))
            assert applied and not later
            reload(running, "server", server_profile(mtu=1400 + turn))
            time.sleep(0.05)
    assert len(sent.answered) > 50 and sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"
    assert (link("u")["ifindex"], running.client.status("lab")["pid"]) == (index, pid)


def test_peers_come_and_go(running):
    received = running.peer("lab", "server")["rx-packets"]
    assert reload(running, "lab", client_profile(peers=[peer("new", "192.168.70.0/24", endpoint="10.0.2.9:9090"),
                                                        to_server()])) == (["peer[new]"], [])
    assert [entry["name"] for entry in running.client.status("lab")["peers"]] == ["new", "server"]
    assert "192.168.70.0/24" in own_routes("u")
    assert running.peer("lab", "server")["rx-packets"] >= received
    assert answered(ping("u", SERVER))
    assert reload(running, "lab", client_profile(peers=[])) == (["peer[new]", "peer[server]"], [])
    assert own_routes("u") == [] and not answered(ping("u", SERVER, seconds=1))
    reload(running, "lab", client_profile())
    assert answered(ping("u", SERVER))


def test_a_learned_peer_stays_where_it_is(running):
    before = running.peer("server", "u")["endpoint"]
    assert reload(running, "server", server_profile(peers=[peer("other", "192.168.53.7/32"), peer(
        "u", "192.168.53.99/32", "fd53::99/128", "192.168.80.0/24")])) == (["peer[other]", "peer[u].allowed-ips"], [])
    assert running.peer("server", "u")["endpoint"] == before
    assert answered(ping("server", "192.168.53.99")), "the client said nothing since"


def test_addresses_routes_and_mtu(running):
    text = client_profile(address=["192.168.53.99/24", "192.168.77.1/24"], mtu=1300, peers=[to_server("10.88.0.0/16")])
    assert reload(running, "lab", text) == (["interface.address", "interface.mtu", "peer[server].allowed-ips"], [])
    assert addresses("u") == ["192.168.53.99", "192.168.77.1"] and link("u")["mtu"] == 1300
    assert own_routes("u") == ["10.88.0.0/16", "fd53::/64"]
    assert answered(ping("u", SERVER))
    assert reload(running, "lab", text + '[routing]\nroutes = "off"\n') == (["routing.routes"], [])
    assert own_routes("u") == []


def test_an_endpoint(running):
    run("ip", "address", "add", "10.0.2.18/24", "dev", "eth0", netns="server")
    assert reload(running, "lab", client_profile(peers=[to_server(endpoint=f"10.0.2.18:{PORT}")])) == \
        (["peer[server].endpoint"], [])
    assert answered(ping("u", SERVER))
    assert running.peer("lab", "server")["endpoint"] == f"10.0.2.18:{PORT}"
    assert reload(running, "lab", client_profile(peers=[to_server(endpoint="10.0.2.9:9090")])) == \
        (["peer[server].endpoint"], [])
    assert not answered(ping("u", SERVER, seconds=1))


def test_forwarding_and_masquerading(running):
    def forwarding(interface):
        return run("sysctl", "-n", f"net.ipv4.conf.{interface}.forwarding", netns="server").strip()
    with unchanged_host("server"):
        assert reload(running, "server", server_profile(routing={"forwarding": ["eth0"], "masquerade": True})) == \
            (["routing.forwarding", "routing.masquerade"], [])
        assert forwarding("eth0") == forwarding("tun0") == "1"
        assert "masquerade" in run("nft", "list", "ruleset", netns="server")
        assert reload(running, "server", server_profile(routing={"forwarding": True})) == \
            (["routing.forwarding", "routing.masquerade"], [])
        assert (forwarding("eth0"), forwarding("tun0")) == ("0", "1")
        reload(running, "server", server_profile())
        assert forwarding("tun0") == "0" and "masquerade" not in run("nft", "list", "ruleset", netns="server")


def test_what_needs_a_restart_is_named_and_stays(running):
    assert reload(running, "lab", client_profile(name="other0", listen_port=5555, mtu=1300)) == \
        (["interface.mtu"], ["interface.name", "interface.listen-port"])
    status = running.client.status("lab")
    assert status["interface"] == "tun0" and status["listen-port"] != 5555 and status["profile-stale"]
    assert answered(ping("u", SERVER))
    running.client.restart("lab")
    assert running.client.status("lab")["interface"] == "other0"


def test_an_invalid_file_changes_nothing(running):
    with unchanged_host("u"), pytest.raises(DBusError, match=r"lab\.toml:\d+:\d+: .*interface\.mtu") as refused:
        reload(running, "lab", client_profile(mtu=1, peers=[]))
    assert refused.value.name == "org.vpntun1.Error.InvalidProfile"
    assert answered(ping("u", SERVER))


@pytest.mark.parametrize("name, changes", [
    ("AddressInUse", dict(address=["192.168.88.1/24", "10.0.2.7/24"])),
    ("RouteConflict", dict(routing={"routes": ["192.168.53.128/25", "10.99.0.0/16"]}, peers=[to_server("10.99.0.0/16")])),
    ("Failed", dict(address=["192.168.88.1/24"], routing={"forwarding": ["eth0", "eth9"], "masquerade": True}))])
def test_what_cannot_be_applied_is_taken_back(running, name, changes):
    run("ip", "route", "add", "10.99.0.0/16", "via", "10.0.2.8", netns="u")
    before = host_state("u")
    with pytest.raises(DBusError) as refused:
        reload(running, "lab", client_profile(mtu=1300, **changes))
    assert refused.value.name == f"org.vpntun1.Error.{name}"
    assert host_state("u") == before
    status = running.client.status("lab")
    assert status["profile-stale"] and status["addresses"] == ["192.168.53.99/24", "fd53::99/64"]
    assert answered(ping("u", SERVER))


def test_peers_of_a_tap_are_still_known_by_their_addresses(pair, tunnels):
    def server(**changes):
        return server_profile(kind="tap", name="tap0", address=["192.168.53.98/24"], peers=[peer("u")], **changes)
    tunnels.run("server", server())
    tunnels.run("lab", client_profile(kind="tap", name="tap0", address=["192.168.53.99/24"],
                                      peers=[peer("server", endpoint=f"10.0.2.8:{PORT}")]))
    assert pings("u", SERVER)
    with Pings("u", SERVER) as sent:
        for turn in range(5):
            assert reload(tunnels, "server", server(mtu=1400 + turn)) == (["interface.mtu"], [])
            time.sleep(0.05)
    assert sent.answered == list(range(1, sent.answered[-1] + 1))
    assert reload(tunnels, "server", server(mtu=1400, mac="02:00:00:00:53:63")) == (["interface.mtu", "interface.mac"], [])
    assert link("server", "tap0")["address"] == "02:00:00:00:53:63"
    run("ip", "neighbour", "flush", "dev", "tap0", netns="u")
    assert pings("u", SERVER)
