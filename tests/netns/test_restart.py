"""Sessions that are restarted, or killed and started again, while packets flow: nothing is lost, nothing is left."""
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time

import pytest
from conftest import CLIENT, PORT, SERVER, Tunnels, client_profile, server_profile

from harness import program
from harness.host import run, unchanged_host
from harness.network import Pings, answered, ping, pings
from harness.profile import peer, profile
from harness.transfer import Transfer
from harness.waiting import wait_for


@contextlib.contextmanager
def undisturbed(netns):
    """Fails when the kernel tells of anything in the namespace that went away meanwhile."""
    with tempfile.TemporaryFile("w+") as told:
        monitor = subprocess.Popen(["ip", "-netns", netns, "monitor", "link", "address", "route"], stdout=told)
        try:
            time.sleep(0.2)
            yield
        finally:
            monitor.terminate()
            monitor.wait(60)
        told.seek(0)
        gone = [line for line in told if line.startswith("Deleted")]
        assert not gone, "".join(gone)


def restart(tunnels, name):
    tunnels.client.restart(name)


WAYS = pytest.mark.parametrize("end", [restart, Tunnels.kill_and_start])


def identity(tunnels, name):
    """What has to be the same in the next session of a tunnel."""
    status = tunnels.client.status(name)
    return {key: status[key] for key in ("interface", "interface-index", "listen-port", "addresses", "routes", "mtu")}


@WAYS
@pytest.mark.parametrize("name, netns", [("lab", "u"), ("server", "server")])
def test_traffic_goes_on_through_the_same_interface_and_socket(running, name, netns, end):
    before, pid = identity(running, name), running.client.status(name)["pid"]
    with undisturbed(netns), Pings("u", SERVER) as sent, Transfer("u", "server", SERVER, pause=0.01) as transfer:
        for _ in range(2):
            end(running, name)
            time.sleep(0.2)
    assert identity(running, name) == before
    assert running.client.status(name)["pid"] != pid
    assert len(sent.answered) > 20 and sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"
    assert transfer.arrived()


@WAYS
def test_the_server_still_knows_where_its_client_is(running, end):
    before = running.peer("server", "u")["endpoint"]
    end(running, "server")
    known = running.peer("server", "u")
    assert (known["endpoint"], known["endpoint-source"]) == (before, "learned")
    assert answered(ping("server", CLIENT)), "the client said nothing since"


def test_a_manager_that_was_restarted_itself_restarts_without_loss_too(running):
    before = identity(running, "lab")
    running.manager.kill()
    running.manager.start()
    running.wait_state("lab", "running")
    with undisturbed("u"), Pings("u", SERVER) as sent:
        restart(running, "lab")
    assert identity(running, "lab") == before
    assert sent.answered == list(range(1, sent.answered[-1] + 1))


def test_a_remembered_endpoint_moves_like_any_other(running):
    restart(running, "server")
    running.client.stop("lab")
    running.client.start("lab")
    assert pings("u", SERVER)
    port = running.client.status("lab")["listen-port"]
    running.wait_endpoint("server", "u", f"10.0.2.7:{port}")
    running.kill_and_start("server")
    assert running.peer("server", "u")["endpoint"] == f"10.0.2.7:{port}", "it was remembered when it moved"


@WAYS
def test_what_the_profile_says_otherwise_is_changed_on_the_same_interface(running, end):
    before = identity(running, "lab")
    running.manager.write_profile("lab", client_profile(
        address=["192.168.53.99/24", "192.168.77.1/24"], mtu=1300,
        peers=[peer("server", "192.168.53.0/24", "10.88.0.0/16", endpoint=f"10.0.2.8:{PORT}")]))
    end(running, "lab")
    after = identity(running, "lab")
    assert (after["interface-index"], after["listen-port"]) == (before["interface-index"], before["listen-port"])
    shown = json.loads(run("ip", "-j", "address", "show", "dev", "tun0", netns="u"))[0]
    assert shown["mtu"] == 1300
    assert sorted(info["local"] for info in shown["addr_info"] if info["scope"] == "global") == ["192.168.53.99",
                                                                                                "192.168.77.1"]
    routes = run("ip", "-4", "route", "show", "dev", "tun0", netns="u") + run("ip", "-6", "route", "show", "dev", "tun0",
                                                                              netns="u")
    assert "10.88.0.0/16" in routes and "fd53::" not in routes
    assert answered(ping("u", SERVER))


@pytest.mark.parametrize("dropped, changes", [("tun", {"name": "other0"}), ("udp", {"listen_port": 5555}),
                                              ("tun", {"kind": "tap", "peers": [peer("server",
                                                                                     endpoint=f"10.0.2.8:{PORT}")]})])
def test_what_does_not_fit_the_profile_any_longer_is_dropped_and_made_anew(running, dropped, changes):
    before = identity(running, "lab")
    running.rerun("lab", client_profile(**changes))
    assert f'stored descriptor "{dropped}" is dropped' in running.manager.log()
    after = identity(running, "lab")
    assert after["interface"] == changes.get("name", "tun0")
    if dropped == "tun":
        assert after["interface-index"] != before["interface-index"]
        assert after["listen-port"] == before["listen-port"], "the other one stays"
    else:
        assert (after["listen-port"], after["interface-index"]) == (5555, before["interface-index"])
    links = [entry["ifname"] for entry in json.loads(run("ip", "-j", "link", "show", netns="u"))]
    assert sorted(links) == sorted(["lo", "eth0", after["interface"]])
    if "kind" not in changes:
        assert pings("u", SERVER)


def test_forwarding_and_masquerading_go_on_where_they_are_wanted_and_end_where_not(pair, tunnels):
    wanted = dict(routing={"forwarding": ["eth0"], "masquerade": True})
    with unchanged_host("server"):
        tunnels.run("server", server_profile(**wanted))
        with undisturbed("server"):
            restart(tunnels, "server")
            tunnels.kill_and_start("server")
        assert "net.ipv4.conf.eth0.forwarding = 1" in run("sysctl", "-a", "-r", "eth0.forwarding", netns="server")
        assert "masquerade" in run("nft", "list", "ruleset", netns="server")
        tunnels.rerun("server", server_profile())
        assert "net.ipv4.conf.eth0.forwarding = 0" in run("sysctl", "-a", "-r", "eth0.forwarding", netns="server")
        assert "masquerade" not in run("nft", "list", "ruleset", netns="server")
        tunnels.rerun("server", server_profile(**wanted))
        tunnels.client.stop("server")


@WAYS
def test_a_created_namespace_stays_with_what_others_put_into_it(tunnels, end):
    box = dict(netns={"mode": "create", "name": "box"}, listen_port=9099)
    with unchanged_host():
        tunnels.run("lab", client_profile(**box))
        index = tunnels.client.status("lab")["interface-index"]
        run("ip", "link", "add", "ve7", "type", "veth", "peer", "name", "ve8", netns="box")
        end(tunnels, "lab")
        assert "ve7" in run("ip", "link", "show", netns="box")
        assert tunnels.client.status("lab")["interface-index"] == index
        tunnels.rerun("lab", client_profile(netns=None))
        assert not os.path.exists("/run/netns/box"), "given up when it is not wanted any longer"
        tunnels.client.stop("lab")


def test_a_stop_after_restarts_and_crashes_leaves_nothing(pair, tunnels):
    with unchanged_host("server"):
        tunnels.run("server", server_profile(routing={"forwarding": True, "masquerade": True}))
        restart(tunnels, "server")
        tunnels.kill_and_start("server")
        tunnels.client.stop("server")


def test_a_stop_after_a_crash_lets_the_interface_go(running):
    os.kill(running.client.status("lab")["pid"], signal.SIGKILL)
    running.wait_state("lab", "failed")
    assert "tun0" in run("ip", "link", "show", netns="u")
    running.client.stop("lab")
    wait_for(lambda: "tun0" not in run("ip", "link", "show", netns="u"), "the interface is gone")


def test_a_session_that_cannot_be_gives_up_what_the_one_before_left(tunnels):
    run("ip", "link", "add", "side0", "type", "veth", "peer", "name", "side1")
    try:
        with unchanged_host():
            tunnels.run("lab", profile(name="tun0", address="192.168.53.99/24", listen_port=9099,
                                       routing={"forwarding": ["side0"], "masquerade": True},
                                       peers=[peer("server", "192.168.53.0/24")]))
            os.kill(tunnels.client.status("lab")["pid"], signal.SIGKILL)
            tunnels.wait_state("lab", "failed")
            tunnels.manager.write_profile("lab", "version = 7\n")
            refused = subprocess.run([program("vpntund"), "--session", "lab", "--profile-folder",
                                      tunnels.manager.profiles], env=tunnels.manager.environment(), timeout=60,
                                     check=False)
            assert refused.returncode != 0
            tunnels.client.stop("lab")
            wait_for(lambda: "tun0" not in run("ip", "link", "show"), "the interface is gone")
    finally:
        run("ip", "link", "delete", "side0")
