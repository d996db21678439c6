"""Encrypted tunnels as units, in the sandbox: keys, the control socket of wg(8), names, peers that come and go."""
import re

import pytest

from harness.network import Pings, answered, ping, pings
from harness.profile import peer
from harness.waiting import wait_for
from harness.wireguard import Keys
from internet import LAPTOP, SERVER, SERVER_NAME, SITE, SITE_NAME
from office import KEY, LAPTOP_INNER, SERVER_INNER, UNIT
from responder import Responder
from wg_show import agreed, peers_of_wg


@pytest.fixture
def running(office):
    office.start()
    return office


@pytest.mark.parametrize("mode, owner", [(0o644, "root:vpntun"), (0o600, "root:root"), (0o640, "root:adm")])
def test_a_key_file_that_is_not_for_the_session_alone_fails_the_unit_and_the_check(office, mode, owner):
    server = office.server
    server.write_file(KEY, office.keys["server"].private + "\n", mode, owner)
    assert server.systemctl("start", UNIT, check=False).returncode != 0
    for said in (server.vpnctl("check", "office", check=False).stdout, server.journal(None, "VPNTUN_TUNNEL=office", "-n", "20")):
        assert f"{mode:04o}, owner {owner}" in said and "expected 0600 vpntun:vpntun or 0640 root:vpntun" in said, said
    assert office.keys["server"].private not in server.journal()


def test_a_new_file_is_the_sessions_to_read(office):
    office.server.run(f"rm {KEY} && (umask 027 && vpnctl genkey > {KEY})")
    assert office.server.out(f"stat -c '%a %U:%G' {KEY}") == "640 root:vpntun"
    office.server.systemctl("start", UNIT)


def test_a_key_comes_from_a_credential(office):
    laptop = office.laptop
    laptop.profile("office", office.of_laptop(private_key="@office-key"))
    laptop.write_file(KEY, office.keys["laptop"].private + "\n", 0o600, "root:root")
    assert laptop.systemctl("start", UNIT, check=False).returncode != 0
    assert "LoadCredential=office-key:PATH" in laptop.vpnctl("check", "office").stdout
    laptop.drop_in(UNIT, f"LoadCredential=office-key:{KEY}")
    laptop.systemctl("reset-failed", UNIT)
    office.start()
    assert laptop.status("office")["public-key"] == office.keys["laptop"].public
    laptop.systemctl("restart", UNIT)
    pings("laptop", SERVER_INNER)


def test_what_a_session_locks_into_memory_fits_with_many_peers(office):
    server = office.server
    many = [peer(f"p{i}", f"10.9.{i // 250}.{i % 250 + 1}/32", public_key=Keys().public, preshared_key=Keys().private)
            for i in range(100)]
    server.profile("office", office.of_server(peers=many))
    server.systemctl("start", UNIT)
    process = server.out(f"cat /proc/{server.main_pid(UNIT)}/status /proc/{server.main_pid(UNIT)}/limits")
    locked = int(re.search(r"VmLck:\s+(\d+) kB", process).group(1))
    most = re.search(r"Max locked memory\s+(\S+)", process).group(1)
    print(f"{locked} KiB are locked, at most {most} B may be")
    assert most == "unlimited" or locked * 1024 < int(most) / 2
    assert not re.search("lock|memory", server.journal(UNIT))
    assert len(server.status("office")["peers"]) == 100


def test_wg_shows_what_vpnctl_shows(running):
    for machine, other in ((running.server, "laptop"), (running.laptop, "server")):
        assert machine.out("stat -c '%a %U:%G' /run/wireguard") == "1775 root:vpntun"
        shown = agreed(machine, "office", "office0")[other]
        assert shown["latest-handshake"] > 0 and shown["rx-bytes"] > 0 and shown["endpoint"]
        assert "office0" in machine.out("wg show interfaces")
    assert running.server.out("wg showconf office0").count(running.keys["server"].private) == 1
    user = running.server.add_user("nosy")
    assert running.server.run("wg show office0", user=user, check=False).returncode != 0


def test_wg_sets_a_running_tunnel_until_the_next_reload(running):
    server, key = running.server, running.keys["laptop"].public
    before = server.main_pid(UNIT)
    server.run(f"wg set office0 peer {key} persistent-keepalive 7 allowed-ips {LAPTOP_INNER}/32,192.168.77.0/24")
    other = Keys().public
    server.run(f"wg set office0 peer {other} allowed-ips 10.8.0.9/32")
    assert server.status("office")["differs-from-profile"]
    shown = {one["public-key"]: one for one in server.status("office")["peers"]}
    assert shown[key]["persistent-keepalive"] == 7 and other in shown
    assert "192.168.77.0/24" in server.out("ip route show dev office0")
    agreed(server, "office", "office0")
    assert answered(ping("laptop", SERVER_INNER))
    server.systemctl("reload", UNIT)
    assert server.main_pid(UNIT) == before and not server.status("office")["differs-from-profile"]
    assert set(peers_of_wg(server, "office0")) == {key}
    assert "192.168.77.0/24" not in server.out("ip route show dev office0")


def test_a_stop_leaves_no_socket_and_a_killed_session_is_followed_by_one_that_has_it(running):
    server = running.server
    before = server.main_pid(UNIT)
    server.run(["kill", "-KILL", str(before)])
    server.wait_new_main_pid(UNIT, before)
    agreed(server, "office", "office0")
    server.systemctl("stop", UNIT)
    assert server.out("ls /run/wireguard") == ""


def test_the_server_is_found_by_name_although_every_name_is_asked_through_the_tunnel(office):
    """Also at boot, behind a kill switch that allows the LAN: until the tunnel has a way, names are asked as ever."""
    laptop, internet = office.laptop, office.internet
    internet.ask_names(laptop)
    text = office.of_laptop(("0.0.0.0/0",), SERVER_NAME, routing={"kill-switch.mode": "while-up", "kill-switch.allow-lan": True})
    laptop.profile("office", text + f'[interface.dns]\nservers = ["{SERVER_INNER}"]\ndomains = ["~."]\n')
    office.server.profile("office", office.of_server(routing={"forwarding": True, "masquerade": True}))
    laptop.systemctl("enable", UNIT)
    office.server.systemctl("start", UNIT)
    with Responder("server", SERVER_INNER, {SITE_NAME: SITE[4]}) as dns:
        for start in (office.start, laptop.reboot):
            start()
            pings("laptop", SERVER_INNER)  # also when the network is there later than the tunnel
            internet.wait_names_through(laptop, "office0")
            internet.lan_dns.forget()
            assert internet.visitor(laptop, b"hello", SITE_NAME) == SERVER
            assert SITE_NAME in dns.asked and not internet.lan_dns.asked
        laptop.systemctl("disable", UNIT)
    laptop.systemctl("stop", UNIT)
    assert internet.visitor(laptop, b"hello", SITE_NAME) == LAPTOP


def test_peers_come_and_go_while_the_tunnel_runs(running):
    server, laptop = running.server, running.laptop
    before = server.main_pid(UNIT)
    with Pings("laptop", SERVER_INNER) as seen:
        conf = server.vpnctl("peer", "add", "office", "second", "--endpoint-for-client", SERVER)
        assert "office: applied peer[second]" in conf.stderr
        assert server.out("stat -c '%a %U:%G' /etc/vpntund/office.second.psk") == "640 root:vpntun"
        laptop.write_file("/root/second.conf", conf.stdout, 0o600)
        laptop.vpnctl("import", "/root/second.conf")
        assert laptop.out("stat -c '%a %U:%G' /etc/vpntund/second.toml") == "640 root:vpntun"
        # Beside the first tunnel, whose networks it must not take.
        laptop.run("sed -i 's,10.8.0.0/24,10.8.0.1/32,' /etc/vpntund/second.toml")
        laptop.vpnctl("start", "second")
        wait_for(lambda: agreed(server, "office", "office0")["second"]["latest-handshake"], "the new peer is there")
        assert set(agreed(server, "office", "office0")) == {"laptop", "second"}
        server.vpnctl("peer", "remove", "office", "second")
        assert set(agreed(server, "office", "office0")) == {"laptop"}
        laptop.vpnctl("stop", "second")
    assert server.main_pid(UNIT) == before
    assert server.out("ls /etc/vpntund").split() == ["office.key", "office.toml"]
    assert seen.answered, "the others were not disturbed"
    assert pings("laptop", SERVER_INNER)


@pytest.mark.parametrize("keys", ["inline", "files"])
def test_an_imported_tunnel_is_the_sessions_to_read(office, keys):
    laptop = office.laptop
    office.server.systemctl("start", UNIT)
    conf = office.server.vpnctl("peer", "add", "office", "laptop2", "--endpoint-for-client", SERVER).stdout
    laptop.write_file("/root/other.conf", conf, 0o600)
    laptop.vpnctl("import", "/root/other.conf", "--keys", keys)
    try:
        laptop.vpnctl("start", "other")
        files = laptop.out("stat -c '%a %U:%G' /etc/vpntund/other*").splitlines()
        assert files == ["640 root:vpntun"] * (3 if keys == "files" else 1)
        assert "0 errors, 0 warnings" in laptop.vpnctl("check", "other").stdout
        assert pings("laptop", SERVER_INNER)
    finally:
        laptop.vpnctl("stop", "other")
