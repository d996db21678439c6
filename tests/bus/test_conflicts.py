"""A start that fails half-way has a named error, a state with a reason, and leaves the host as it was."""
import socket
import threading

import pytest
from conftest import lab_profile

from harness.bus import DBusError
from harness.host import link, network_namespace, unchanged_host


def fails_to_start(world, error_name, *words):
    with unchanged_host():
        with pytest.raises(DBusError) as refused:
            world.client.start("lab")
        assert refused.value.name == error_name, refused.value
        for word in ("lab", *words):
            assert word in refused.value.text
        status = world.client.status("lab")
        assert status["state"] == "failed" and status["reason"]["code"] and status["reason"]["text"] in refused.value.text
        assert world.manager.session_pids() == []
    return status["reason"]["code"]


def test_an_interface_name_that_is_taken(lab):
    with link("tun0", "type", "veth", "peer", "name", "other0"):
        assert fails_to_start(lab, "org.vpntun1.Error.InterfaceExists", "tun0") == "interface-exists"
    lab.client.start("lab")


def test_a_udp_port_that_is_taken(lab):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.bind(("::", 9090))
        four.bind(("0.0.0.0", 9090))
        assert fails_to_start(lab, "org.vpntun1.Error.AddressInUse", "9090") == "address-in-use"
    lab.client.start("lab")


def test_a_udp_port_that_is_let_go_of_a_moment_later(lab):
    """As systemd does with what it kept for a session that was stopped."""
    kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    kept.bind(("0.0.0.0", 9090))
    letting_go = threading.Timer(0.1, kept.close)
    letting_go.start()
    lab.client.start("lab")
    letting_go.join()


def test_an_address_that_is_taken(lab):
    with link("veth0", "type", "veth", "peer", "name", "other0", address="192.168.53.99/24"):
        assert fails_to_start(lab, "org.vpntun1.Error.AddressInUse", "192.168.53.99") == "address-in-use"
    lab.client.start("lab")


def test_a_route_that_is_taken(lab):
    with link("veth0", "type", "veth", "peer", "name", "other0", address="192.168.60.1/24"):
        assert fails_to_start(lab, "org.vpntun1.Error.RouteConflict", "192.168.60.0/24") == "route-conflict"


def test_a_namespace_that_is_in_use_and_one_that_does_not_exist(world):
    world.profile("lab", lab_profile(extra='[netns]\nmode = "create"\nname = "blue"\n'))
    with network_namespace("blue"), link("veth0", "type", "veth", "peer", "name", "other0", netns="blue"):
        fails_to_start(world, "org.vpntun1.Error.NetworkNamespace", "blue")
    world.manager.write_profile("lab", lab_profile(extra='[netns]\nmode = "join"\nname = "blue"\n'))
    fails_to_start(world, "org.vpntun1.Error.NetworkNamespace", "blue")


def test_a_tunnel_in_a_namespace_of_its_own_comes_and_goes(world):
    world.profile("lab", lab_profile(extra='[netns]\nmode = "create"\nname = "blue"\n'))
    with unchanged_host():
        world.client.start("lab")
        assert world.client.status("lab")["netns"] == "blue"
        world.client.stop("lab")


def test_a_failed_tunnel_can_be_stopped_which_clears_the_reason(lab):
    with link("tun0", "type", "veth", "peer", "name", "other0"):
        fails_to_start(lab, "org.vpntun1.Error.InterfaceExists")
        lab.client.stop("lab")
    status = lab.client.status("lab")
    assert status["state"] == "stopped" and status["reason"] == {"code": "", "text": ""}
