"""Which offloads of the kernel a tunnel uses and why not another: in Status, on D-Bus, in the log and in vpnctl status."""
import errno
import json
import socket
import subprocess

import pytest
from conftest import SERVER, Tunnels, client_profile, server_profile

from harness import program
from harness.network import inside
from harness.refusing_kernel import refusing
from harness.waiting import wait_for

NAMES = ["tso4", "tso6", "uso4", "uso6", "udp-segment", "udp-gro"]
SESSION = ("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
TUNSETOFFLOAD, USO = 0x400454D0, 0x60  # linux/if_tun.h
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104  # linux/udp.h
EACH_ALONE = 1000  # bytes of a datagram


def vpnctl(tunnels, *arguments):
    return subprocess.run([program("vpnctl"), *arguments], env=tunnels.manager.environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=True).stdout


def line(tunnels):
    """What vpnctl status says of them."""
    return next(text.split(maxsplit=1)[1] for text in vpnctl(tunnels, "status", "lab").splitlines()
                if text.startswith("   Offloads "))


def off(tunnels):
    """{name: (reason, text)} of those that are off."""
    offloads = tunnels.client.status("lab")["offloads"]
    assert [offload["name"] for offload in offloads] == NAMES
    assert all(offload["on"] == (offload["reason"] == offload["text"] == "") for offload in offloads)
    return {offload["name"]: (offload["reason"], offload["text"]) for offload in offloads if not offload["on"]}


def why_off(tunnels):
    """The same, while nothing changes: the property agrees."""
    known = off(tunnels)
    assert tunnels.client.get_all(*SESSION)["Offloads"] == {name: name not in known for name in NAMES}
    return known


def test_status_says_which_are_on_also_after_a_restart(running):
    for _ in range(2):
        # Linux before 6.2 has none of UDP.
        assert set(why_off(running)) in (set(), {"uso4", "uso6"})
        shown = line(running)
        assert shown.startswith("tso4 tso6 ") and "udp-segment udp-gro" in shown
        [tunnel] = json.loads(vpnctl(running, "status", "lab", "--json"))["tunnels"]
        assert tunnel["offloads"][0] == {"name": "tso4", "on": True, "reason": "", "text": ""}
        running.client.restart("lab")


@pytest.mark.parametrize(["refused", "names", "said"], [
    (("ioctl", errno.EINVAL, (1, TUNSETOFFLOAD), (2, USO, USO)), ["uso4", "uso6"], "Invalid argument"),
    (("getsockopt", errno.ENOPROTOOPT, (1, SOL_UDP), (2, UDP_SEGMENT)), ["udp-segment"], "Protocol not available"),
    (("setsockopt", errno.ENOPROTOOPT, (1, SOL_UDP), (2, UDP_GRO)), ["udp-gro"], "Protocol not available")])
def test_what_the_kernel_does_not_have_is_said_with_its_words(pair, refused, names, said):
    with Tunnels(command_prefix=refusing(*refused)) as tunnels:
        tunnels.run("lab", client_profile())
        why = f"not offered by the kernel: {said}"
        known = why_off(tunnels)
        assert [known[name] for name in names] == [("not-supported", why)] * len(names)
        assert f"off: {' '.join(names)} ({why})" in line(tunnels)


# A run of datagrams is one message; one that is sent alone after that is one of many.
def test_one_that_is_lost_in_mid_run_is_told_once(pair):
    with Tunnels(command_prefix=refusing("sendmmsg", errno.EIO, (2, 1))) as tunnels:
        tunnels.run("server", server_profile())
        tunnels.run("lab", client_profile())
        assert "udp-segment" not in why_off(tunnels)
        tunnels.client.watch(f"type='signal',interface='org.freedesktop.DBus.Properties',sender='{SESSION[0]}'")
        with inside("u"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(SOL_UDP, UDP_SEGMENT, EACH_ALONE)

            def lost():
                sender.sendto(bytes(40 * EACH_ALONE), (SERVER, 7))
                return off(tunnels).get("udp-segment")

            why = "refused on the way out: Input/output error"
            assert wait_for(lost, "the kernel refuses a run of datagrams") == ("refused", why)
            assert f"off: udp-segment ({why})" in line(tunnels) and "udp-segment" in why_off(tunnels)
            changed = tunnels.client.wait_signal(lambda path, _, member, body: path == SESSION[1] and "Offloads" in body[1],
                                                 "D-Bus tells of it")
            assert changed[1]["Offloads"]["udp-segment"] is False
            before = tunnels.peer("server", "u")["rx-packets"]

            def passed():
                sender.sendto(bytes(40 * EACH_ALONE), (SERVER, 7))
                return tunnels.peer("server", "u")["rx-packets"] >= before + 40

            wait_for(passed, "packets pass one by one")
        assert tunnels.manager.log().count(" lab: udp-segment is off from now on") == 1
