"""The manager's methods, objects and signals, as a client and as busctl and gdbus see them."""
import json
import os
import subprocess

import pytest
from conftest import lab_profile

from harness.bus import DBusError, plain
from harness.host import host_state, unchanged_host
from harness.waiting import wait_for

TUNNEL = "/org/vpntun1/tunnel/lab"


def tool(world, *command):
    environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.bus.address)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


def test_busctl_shows_the_interfaces_with_their_flags(lab):
    manager = tool(lab, "busctl", "introspect", "org.vpntun1", "/org/vpntun1")
    assert ".Start                              method    sa{sv}" in manager
    assert ".TunnelStateChanged" in manager and "org.freedesktop.DBus.ObjectManager" in manager
    flags = {line.split()[0]: line.split()[-1] for line in
             tool(lab, "busctl", "introspect", "org.vpntun1", TUNNEL).splitlines()}
    assert flags[".Name"] == "const" and flags[".State"] == "emits-change"


def test_gdbus_shows_the_annotations(lab):
    shown = tool(lab, "gdbus", "introspect", "--system", "--dest", "org.vpntun1", "--object-path", TUNNEL)
    assert "interface org.vpntun1.Tunnel" in shown
    assert '@org.freedesktop.DBus.Property.EmitsChangedSignal("const")' in shown
    assert "readonly s State = 'stopped';" in shown


def test_a_started_tunnel_is_on_the_host_and_a_stopped_one_is_not(lab):
    with unchanged_host():
        assert lab.client.start("lab") == TUNNEL
        assert lab.client.list()["lab"] == (TUNNEL, "running", "unknown", "tun0")
        assert any(link.startswith("tun0 mtu 1400") for link in host_state()["links"])
        lab.client.stop("lab")
        assert lab.client.list()["lab"] == (TUNNEL, "stopped", "unknown", "")
        assert lab.manager.session_pids() == []


def test_start_and_stop_of_what_is_so_already_succeed(lab):
    lab.client.stop("lab")
    assert lab.client.start("lab") == TUNNEL
    before = lab.manager.session_pids()
    assert lab.client.start("lab") == TUNNEL
    assert lab.manager.session_pids() == before
    lab.client.stop("lab")
    lab.client.stop("lab")


def test_restart_replaces_the_session(lab):
    lab.client.restart("lab")
    first = lab.manager.session_pids()
    assert lab.client.restart("lab") == TUNNEL
    assert lab.client.state("lab") == "running"
    assert len(lab.manager.session_pids()) == 1 and lab.manager.session_pids() != first


def test_the_tunnel_object_has_the_same_methods(lab):
    tunnel = ("org.vpntun1", TUNNEL, "org.vpntun1.Tunnel")
    lab.client.call(tunnel, "Start", "a{sv}", {})
    assert plain(lab.client.call(tunnel, "Status"))["state"] == "running"
    lab.client.call(tunnel, "Restart", "a{sv}", {})
    lab.client.call(tunnel, "Stop", "a{sv}", {})
    assert plain(lab.client.call(tunnel, "Status"))["state"] == "stopped"


def test_status_tells_of_a_stopped_and_of_a_running_tunnel(lab):
    stopped = lab.client.status("lab")
    assert stopped["state"] == "stopped" and stopped["description"] == "Lab" and stopped["profile-valid"] is True
    assert stopped["kind"] == "tun" and stopped["pid"] == 0
    lab.client.start("lab")
    running = lab.client.status("lab")
    assert running["interface"] == "tun0" and running["addresses"] == ["192.168.53.99/24"]
    assert running["routes"] == ["192.168.60.0/24"] and running["mtu"] == 1400 and running["listen-port"] == 9090
    assert running["pid"] == lab.manager.session_pids()[0] and running["profile-stale"] is False
    assert running["peers"][0]["name"] == "server" and running["peers"][0]["endpoint"] == "127.0.0.1:9999"


def test_describe_is_status_of_all_as_json(lab):
    lab.profile("other", lab_profile(name="tun1", address="192.168.54.1/24", port=9091))
    lab.client.start("lab")
    document = json.loads(lab.client.call(lab.client.MANAGER, "Describe"))
    assert document["schema"] == "vpnctl.status/1"
    tunnels = {tunnel["name"]: tunnel for tunnel in document["tunnels"]}
    assert set(tunnels) == {"lab", "other"}
    assert set(tunnels["lab"]) == set(lab.client.status("lab"))
    assert tunnels["lab"]["peers"][0]["allowed-ips"] == ["192.168.60.0/24"]
    assert tunnels["other"]["state"] == "stopped"


def test_the_object_manager_knows_every_tunnel(lab):
    objects = lab.client.call(("org.vpntun1", "/org/vpntun1", "org.freedesktop.DBus.ObjectManager"), "GetManagedObjects")
    assert plain(objects[TUNNEL]["org.vpntun1.Tunnel"]["Name"]) == "lab"
    assert plain(objects[TUNNEL]["org.vpntun1.Tunnel"]["SessionBusName"]) == "org.vpntun1.session.lab"


def test_states_are_told_in_order(lab):
    lab.client.watch("type='signal',sender='org.vpntun1'")
    lab.client.start("lab")
    lab.client.stop("lab")
    changes, states = [], []

    def collect(_path, _interface, member, body):
        if member == "TunnelStateChanged":
            assert body[:2] == [TUNNEL, "lab"] and set(body[5]) == {"reason-text", "health"}
            changes.append((body[2], body[3]))
        if member == "PropertiesChanged" and "State" in body[1]:
            states.append(body[1]["State"])
        return member == "TunnelStateChanged" and body[3] == "stopped"

    lab.client.wait_signal(collect, "the tunnel stopped")
    assert changes == [("stopped", "starting"), ("starting", "running"), ("running", "stopping"), ("stopping", "stopped")]
    assert states == ["starting", "running", "stopping", "stopped"]


def test_the_interface_comes_with_the_state_running(lab):
    lab.client.watch(f"type='signal',sender='org.vpntun1',path='{TUNNEL}'")
    lab.client.start("lab")
    body = lab.client.wait_signal(lambda _p, _i, member, body: member == "PropertiesChanged" and
                                  body[1].get("State") == "running", "running")
    assert body[1]["Interface"] == "tun0"


def test_the_session_has_its_own_objects(lab):
    lab.client.start("lab")
    session = lab.client.get_all("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
    assert session["Interface"] == "tun0" and session["MTU"] == 1400 and session["Name"] == "lab"
    assert session["Peers"] == ["/org/vpntun1/session/peer/server"]
    peer = lab.client.get_all("org.vpntun1.session.lab", session["Peers"][0], "org.vpntun1.Peer")
    assert peer["AllowedIPs"] == ["192.168.60.0/24"] and peer["EndpointSource"] == "configured"


def test_names_are_escaped_in_paths_and_bus_names(world):
    world.profile("4.b-c_d", lab_profile())
    path = world.client.start("4.b-c_d")
    assert path == "/org/vpntun1/tunnel/_34_2eb_2dc_5fd"
    assert "org.vpntun1.session._34_2eb-c_5fd" in world.client.owned_names()
    world.client.stop("4.b-c_d")


def test_an_invalid_profile_does_not_start_and_says_why(world):
    world.profile("lab", lab_profile(address="192.168.53.300/24"))
    with pytest.raises(DBusError) as refused:
        world.client.start("lab")
    assert refused.value.name == "org.vpntun1.Error.InvalidProfile"
    assert "vpnctl check lab" in refused.value.text and "address" in refused.value.text
    assert world.client.state("lab") == "stopped" and world.client.status("lab")["profile-valid"] is False


def test_a_profile_changed_while_running_is_stale_until_restarted(lab):
    lab.client.start("lab")
    lab.manager.write_profile("lab", lab_profile(description="New words"))
    wait_for(lambda: lab.client.status("lab")["profile-stale"], "stale")
    lab.client.restart("lab")
    assert lab.client.status("lab")["profile-stale"] is False
    assert lab.client.status("lab")["description"] == "New words"


def test_restart_with_a_broken_profile_leaves_the_tunnel_running(lab):
    lab.client.start("lab")
    before = lab.manager.session_pids()
    lab.manager.write_profile("lab", "nonsense")
    with pytest.raises(DBusError, match="InvalidProfile"):
        lab.client.restart("lab")
    assert lab.manager.session_pids() == before and lab.client.state("lab") == "running"
