"""Whatever restarts, the tunnel's interface stays as it is and its traffic waits instead of getting lost."""
import contextlib
import json
import re
import subprocess

import pytest

import restarts
from harness.host import run
from harness.network import pings
from harness.waiting import wait_for
from lab import CLIENT, SERVER, U_OUTER, V, example
from machine import unit_of
from traffic import Traffic

ENDS = ["client", "server"]


@pytest.fixture(scope="module")
def running(lab):
    lab.start()
    yield lab
    lab.stop()


def end_of(lab, end):
    return lab.ends()[ENDS.index(end)]


def interface(netns):
    """What must not change: index, addresses, routes."""
    link, = json.loads(run("ip", "-j", "address", "show", "dev", "tun0", netns=netns))
    routes = [run("ip", family, "route", "show", "table", "all", "dev", "tun0", netns=netns) for family in ("-4", "-6")]
    addresses = [(entry["local"], entry["prefixlen"]) for entry in link["addr_info"]]
    return {"index": link["ifindex"], "mtu": link["mtu"], "up": "UP" in link["flags"], "addresses": addresses,
            "routes": routes}


@contextlib.contextmanager
def undisturbed(lab):
    """The interfaces of both ends stay the same, and nothing of them went away in between; traffic loses nothing."""
    before = {end.name: interface(end.name) for end, _, _ in lab.ends()}
    monitors = [subprocess.Popen(["ip", "netns", "exec", end.name, "ip", "-o", "monitor", "link", "address", "route"],
                                 stdout=subprocess.PIPE, text=True) for end, _, _ in lab.ends()]
    try:
        with Traffic() as traffic:
            yield traffic
    finally:
        for monitor in monitors:
            monitor.terminate()
        said = "".join(monitor.communicate(timeout=60)[0] for monitor in monitors)
    traffic.assert_nothing_lost()
    assert {end.name: interface(end.name) for end, _, _ in lab.ends()} == before
    gone = [line for line in said.splitlines() if "Deleted" in line and "tun0" in line]
    assert not gone, f"for a moment this was gone: {gone}"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("scenario", ["systemctl restart", "vpnctl restart", "SIGKILL"])
def test_a_restarted_session_loses_nothing(running, end, scenario):
    with undisturbed(running):
        restarts.NEW_SESSION[scenario](*end_of(running, end))


def test_queues_and_sockets_of_all_workers_wait_in_the_store(running):
    machine, tunnel, unit = end_of(running, "server")
    path = f"/etc/vpntund/{tunnel}.toml"
    before = machine.read_file(path)
    try:
        machine.profile(tunnel, before.replace("[interface]\n", "[interface]\nworkers = 16\n"))
        machine.systemctl("restart", unit)
        pings("u", V)
        for scenario in ("systemctl restart", "SIGKILL"):
            with undisturbed(running):
                restarts.NEW_SESSION[scenario](machine, tunnel, unit)
            assert machine.status(tunnel)["workers"] == 16
            assert machine.show(unit, "NFileDescriptorStore") == "34", "the endpoints, and that it is ready, too"
    finally:
        machine.profile(tunnel, before)
        machine.systemctl("restart", unit)
        pings("u", V)


def test_both_ends_restarted_at_once_lose_nothing(running):
    before = [machine.main_pid(unit) for machine, _, unit in running.ends()]
    with undisturbed(running):
        jobs = [machine.popen(["systemctl", "restart", unit]) for machine, _, unit in running.ends()]
        assert [job.wait(60) for job in jobs] == [0, 0]
    assert all(machine.main_pid(unit) != pid for (machine, _, unit), pid in zip(running.ends(), before))


@pytest.mark.parametrize("scenario", ["manager SIGKILL", "dbus restart", "daemon-reexec"])
def test_a_session_goes_on_when_others_restart(running, scenario):
    before = [machine.main_pid(unit) for machine, _, unit in running.ends()]
    with undisturbed(running):
        for end in running.ends():
            restarts.SAME_SESSION[scenario](*end)
    assert [machine.main_pid(unit) for machine, _, unit in running.ends()] == before
    for machine, tunnel, _ in running.ends():
        assert machine.status(tunnel)["state"] == "running"


def test_a_session_survives_systemd_executing_itself_again_and_a_restart(running):
    """What systemd keeps for the session, it keeps for itself too."""
    with undisturbed(running):
        for end in running.ends():
            restarts.reexec_systemd(*end)
            restarts.restart(*end)


def test_an_upgrade_leaves_running_sessions_alone_and_their_next_restart_takes_the_new_program(running):
    before = [machine.main_pid(unit) for machine, _, unit in running.ends()]
    with undisturbed(running):
        for machine, tunnel, unit in running.ends():
            restarts.install(machine, upgraded=True)
            assert machine.out(f"readlink /proc/{machine.main_pid(unit)}/exe").endswith("(deleted)")
        assert [machine.main_pid(unit) for machine, _, unit in running.ends()] == before
        for machine, tunnel, unit in running.ends():
            restarts.restart(machine, tunnel, unit)
            assert machine.out(f"readlink /proc/{machine.main_pid(unit)}/exe") == machine.out("readlink -f /usr/sbin/vpntund")
    for machine, _, _ in running.ends():
        assert "+upgraded" in machine.out("dpkg-query -W -f '${Version}' vpntund")


def test_after_all_of_it_stopping_leaves_nothing(running):
    running.stop()
    for machine, _, unit in running.ends():
        assert machine.show(unit, "NFileDescriptorStore") == "0"
        assert "192.168.53" not in machine.out("ip address; ip route")
    running.start()


def test_a_stored_interface_that_no_longer_fits_is_dropped_and_said(running):
    machine, unit = running.u, unit_of(CLIENT)
    machine.profile(CLIENT, example(CLIENT).replace('name = "tun0"', 'name = "office0"'))
    try:
        machine.systemctl("restart", unit)
        assert machine.out("ls /sys/class/net").split() == ["eth0", "lo", "office0"]
        said = machine.journal(unit, "-n", "20")
        assert "tun0" in said, said
        pings("u", V)
    finally:
        machine.profile(CLIENT, example(CLIENT))
        machine.systemctl("restart", unit)
    wait_for(lambda: "office0" not in machine.out("ls /sys/class/net"), "office0 is gone")
    pings("u", V)


def test_a_stored_socket_that_no_longer_fits_is_dropped_and_said(running):
    machine, unit = running.u, unit_of(CLIENT)
    port, before = machine.status(CLIENT)["listen-port"], interface("u")
    machine.profile(CLIENT, example(CLIENT).replace("[[peer]]", "listen-port = 9191\n\n[[peer]]"))
    try:
        machine.systemctl("restart", unit)
        dropped, = wait_for(lambda: machine.journal_entries(f"_PID={machine.main_pid(unit)}", "VPNTUN_EVENT=descriptor-dropped"),
                            "the journal says what was dropped")
        assert dropped["_SYSTEMD_UNIT"] == unit
        assert re.fullmatch(rf'stored descriptor "udp" is dropped: it is bound to \S+:{port}, not to port 9191',
                            dropped["MESSAGE"])
        assert machine.status(CLIENT)["listen-port"] == 9191

        def ports():
            return {int(line.split()[3].rpartition(":")[2]) for line in machine.out("ss -Hlun").splitlines()}

        assert 9191 in ports()
        wait_for(lambda: port not in ports(), "nobody keeps the old one")
        assert interface("u") == before, "the interface goes on"
        pings("u", V)
        learned, = running.server.status(SERVER)["peers"]
        assert learned["endpoint"] == f"{U_OUTER}:9191"
    finally:
        machine.profile(CLIENT, example(CLIENT))
        machine.systemctl("restart", unit)
    pings("u", V)
