"""The lab of docs/lab.md as systemd units: U and the VPN server are machines of their own, V is behind the server."""
from harness.host import run
from harness.network import answered, ping, pings, tcp_connect, tcp_listener
from harness.waiting import wait_for
from lab import CLIENT, SERVER, SERVER_INNER, U_INNER, U_OUTER, V
from machine import unit_of


def test_without_a_tunnel_u_does_not_reach_v(lab):
    assert "unreachable" in lab.u.run(f"ping -c 1 -W 1 {V}", check=False).stderr


def test_with_both_units_started_u_reaches_v_one_hop_further_away(lab):
    lab.server.systemctl("start", unit_of(SERVER))
    lab.u.systemctl("start", unit_of(CLIENT))
    assert " ttl=63 " in lab.u.out(f"ping -n -c 1 -W 5 {V}")
    assert run("ip", "-4", "-br", "address", "show", "dev", "tun0", netns="u").split()[2] == f"{U_INNER}/24"


def test_the_server_has_learned_where_u_is(lab):
    lab.start()
    peer, = lab.server.status(SERVER)["peers"]
    assert peer["endpoint"].startswith(f"{U_OUTER}:")


def test_v_reaches_u_through_the_route_into_the_tunnel(lab):
    lab.start()
    assert answered(ping("v", U_INNER))


def test_tcp_goes_through_the_tunnel_both_ways(lab):
    lab.start()
    for client, server, address in (("u", "v", V), ("v", "u", U_INNER)):
        with tcp_listener(server, address, 2323) as listener, tcp_connect(client, address, 2323) as connection:
            peer, _ = listener.accept()
            with peer:
                connection.sendall(b"login: ")
                assert peer.recv(64) == b"login: "
                peer.sendall(b"seed\n")
                assert connection.recv(64) == b"seed\n"


def test_tcp_stays_open_while_the_tunnel_is_down_and_goes_on_after(lab):
    lab.start()
    with tcp_listener("v", V, 2323) as listener, tcp_connect("u", V, 2323) as connection:
        peer, _ = listener.accept()
        with peer:
            lab.server.systemctl("stop", unit_of(SERVER))
            connection.sendall(b"typed while it was down")
            assert not answered(ping("u", V, seconds=1))
            lab.server.systemctl("start", unit_of(SERVER))
            assert peer.recv(64) == b"typed while it was down"


def test_both_ends_enabled_come_back_after_a_reboot_of_either(lab):
    for machine, _, unit in lab.ends():
        machine.systemctl("enable", unit)
    for machine in (lab.server, lab.u):
        machine.reboot()
        pings("u", V)
    for machine, _, unit in lab.ends():
        machine.systemctl("disable", unit)


def test_stopped_units_leave_nothing_of_the_tunnel(lab):
    lab.start()
    lab.stop()
    for machine, _, _ in lab.ends():
        assert SERVER_INNER not in machine.out("ip address; ip route")
        assert machine.out("nft list ruleset") == ""
        wait_for(lambda machine=machine: machine.out("cat /proc/sys/net/ipv4/conf/eth0/forwarding") == "0",
                 "eth0 does not forward any more")
