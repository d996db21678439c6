"""The README's section "A real VPN in two minutes", word for word: a server, a laptop and a phone that boot Debian.

The phone is one that has the WireGuard programs: its QR code is read off the server's terminal, and wg-quick takes what it
says. What root copies with scp, the test copies."""
import os
import re

import pytest

from harness.host import run
from harness.network import answered, ping, pings
from harness.qr_code import read_qr_code
from harness.waiting import wait_for
from internet import LAN_DNS, LAPTOP, PUBLIC_DNS, SERVER, SITE, SITE_NAME, Internet, eavesdropper, is_of_the_tunnel
from machine import unit_of
from packages import SOURCE
from wg_show import agreed

UNIT = unit_of("office")
SERVER_INNER = "10.8.0.1"
SECRET = b"what only the site and its visitor know"


def section():
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        return re.search(r"^## A real VPN in two minutes\n(.*?)^## ", file.read(), re.M | re.S).group(1)


def block(word):
    """The one block of commands in which the word stands, as lines."""
    text = re.sub(r"^```.*?^```$", "", section(), flags=re.M | re.S)
    found = [one for one in re.findall(r"(?:^ {4}.*\n)+", text, re.M) if word in one]
    assert len(found) == 1, f"the README has {len(found)} blocks with {word}"
    return [line.strip() for line in found[0].splitlines()]


@pytest.fixture(scope="module")
def world(boot):
    server, laptop, phone = (boot(name) for name in ("server", "laptop", "phone"))
    with Internet(server, laptop, phone) as internet:
        internet.ask_names(laptop)
        internet.ask_names(phone)
        yield internet


def machines(world):
    return {machine.name: machine for machine in world.machines}


@pytest.fixture(scope="module")
def server(world):
    """With the commands for it typed, and what they printed, as .said."""
    server = machines(world)["server"]
    path, text = re.search(r"```toml\n# (\S+)\n(.*?)```", section(), re.S).groups()
    server.write_file(path, text)
    server.said = {line: server.run(f"cd /root && {line}").stdout for line in block("genkey")}
    return server


@pytest.fixture(scope="module")
def laptop(world, server):
    """With the commands for it typed; before, it goes straight to the site."""
    laptop = machines(world)["laptop"]
    with eavesdropper("laptop") as wire:
        assert world.visitor(laptop, SECRET, SITE_NAME) == LAPTOP
        assert any(SECRET in packet for packet in wire.packets()), "who listens sees it"
    assert pings("laptop", SITE[6])
    for line in block("vpnctl import"):
        if line.startswith("scp "):
            assert line == f"scp root@{SERVER}:office.conf ."
            laptop.write_file("/root/office.conf", server.read_file("/root/office.conf"), 0o600)
        else:
            laptop.run(f"cd /root && {line}")
    return laptop


@pytest.fixture(scope="module")
def phone(world, server):
    phone = machines(world)["phone"]
    shown, = [said for line, said in server.said.items() if line.endswith("--qr")]
    phone.write_file("/etc/wireguard/office.conf", read_qr_code(shown), 0o600)
    phone.run("wg-quick up office", timeout=120)
    return phone


def test_the_profile_of_the_section_has_no_flaw(server):
    said, = [said for line, said in server.said.items() if line.startswith("vpnctl check")]
    assert "0 errors, 0 warnings" in said, said


def test_the_laptop_goes_through_the_server_and_nothing_goes_past_it(world, laptop):
    wait_for(lambda: laptop.status("office")["health"] == "healthy", "the tunnel is healthy")
    world.wait_names_through(laptop, "office")
    world.lan_dns.forget()
    world.public_dns.forget()
    with eavesdropper("laptop") as wire:
        assert world.visitor(laptop, SECRET, SITE_NAME) == SERVER
        packets = wire.packets()
    assert packets and not [packet for packet in packets if not is_of_the_tunnel(packet)]
    assert not any(SECRET in packet for packet in packets)
    assert SITE_NAME in world.public_dns.asked and world.public_dns.askers == {SERVER} and not world.lan_dns.asked


def test_the_family_that_the_tunnel_has_no_address_of_is_refused_at_once(laptop):
    said = laptop.run(["ping", "-n", "-c", "1", "-W", "5", SITE[6]], check=False)
    assert said.returncode == 2 and "unreachable" in said.stderr


def test_the_phone_reads_the_code_and_goes_through_the_server(world, phone):
    world.public_dns.forget()
    with eavesdropper("phone") as wire:
        assert world.visitor(phone, SECRET, SITE_NAME) == SERVER
        assert not any(SECRET in packet for packet in wire.packets())
    assert SITE_NAME in world.public_dns.asked


def test_phone_and_laptop_reach_each_other(laptop, phone):
    address = {name: machine.out("ip -4 -br address show office").split()[2].split("/")[0]
               for name, machine in (("laptop", laptop), ("phone", phone))}
    assert answered(ping("laptop", address["phone"])) and answered(ping("phone", address["laptop"]))


def test_wg_and_vpnctl_say_the_same(world, server, laptop, phone):
    for one in (laptop, phone):
        world.visitor(one, SECRET)
    peers = agreed(server, "office", "office0")
    assert set(peers) == {"laptop", "phone"}
    for name, peer in peers.items():
        assert peer["latest-handshake"] > 0 and peer["rx-bytes"] > 1000 and peer["tx-bytes"] > 1000, name
        assert peer["has-preshared-key"] and peer["endpoint"]
    assert peers["laptop"]["endpoint"].startswith(f"{LAPTOP}:")
    for line in block("vpnctl status"):
        if line.startswith("$ "):
            said = server.out(line[2:])
    shown = server.out("wg show office0")
    for peer in peers.values():
        assert peer["endpoint"] in said and peer["endpoint"] in shown
    assert said.count(" fresh ") == 2
    # The other end of the same sessions.
    def same():
        seen = int(phone.out("wg show office latest-handshakes").split()[1])
        return abs(seen - agreed(server, "office", "office0")["phone"]["latest-handshake"]) <= 5

    wait_for(same, "both ends say when the last handshake was")


def leaks(wire):
    """What passed besides the tunnel and the laptop's own network."""
    return [packet for packet in wire.packets() if not is_of_the_tunnel(packet)
            and bytes(map(int, LAN_DNS.split("."))) not in (packet[12:16], packet[16:20]) and packet[0] >> 4 == 4
            and packet[16] not in (224, 239)]


def test_with_the_kill_switch_nothing_goes_past_a_tunnel_that_is_not_there(world, laptop):
    for line in block("kill-switch"):
        laptop.run(line)
    assert "vpntun-killswitch_office" in laptop.out("nft list tables")
    assert world.visitor(laptop, SECRET, SITE_NAME) == SERVER
    laptop.drop_in(UNIT, "RestartSec=1h")
    laptop.run(["kill", "-KILL", str(laptop.main_pid(UNIT))])
    laptop.wait_active(UNIT, "activating")
    run("ip", "link", "delete", "office", netns="laptop", check=False)
    with eavesdropper("laptop") as wire:
        for target in (SITE[4], SITE[6], PUBLIC_DNS):
            assert not answered(ping("laptop", target, seconds=1))
        assert answered(ping("laptop", LAN_DNS)), "the own network is allowed"
        assert leaks(wire) == []
    laptop.remove_drop_in(UNIT)
    laptop.systemctl("restart", UNIT)
    assert world.visitor(laptop, SECRET, SITE_NAME) == SERVER


def test_after_a_reboot_all_of_it_is_there_again(world, server, laptop):
    for one in (laptop, server):
        one.reboot()
        # The laptop notices a server that forgot its session when nothing is answered for 15 seconds.
        wait_for(lambda: answered(ping("laptop", SERVER_INNER, seconds=1)), f"a way after a reboot of {one.name}")
        with eavesdropper("laptop") as wire:
            assert world.visitor(laptop, SECRET, SITE_NAME) == SERVER
            assert leaks(wire) == []


def test_a_stopped_laptop_goes_straight_again(world, laptop):
    laptop.systemctl("stop", UNIT)
    assert world.visitor(laptop, SECRET, SITE_NAME) == LAPTOP
    assert pings("laptop", SITE[6])
