"""Sessions of encrypted tunnels are restarted and killed: the tunnel goes on, and the kill switch holds."""
import contextlib

import pytest

from harness.host import run
from harness.network import Pings, answered, ping, pings, tcp_connect, tcp_listener
from internet import SITE, eavesdropper, is_of_the_tunnel
from machine import MANAGER_UNIT
from office import LAPTOP_INNER, SERVER_INNER, UNIT
from wg_show import agreed


@pytest.fixture
def running(office):
    office.start()
    return office


@pytest.mark.parametrize("scenario", ["restart", "kill"])
@pytest.mark.parametrize("end", ["server", "laptop"])
def test_another_session_goes_on_with_the_tunnel(running, end, scenario):
    machine = {"server": running.server, "laptop": running.laptop}[end]
    before, learned = machine.main_pid(UNIT), running.server.status("office")["peers"][0]["endpoint"]
    index = machine.out("cat /sys/class/net/office0/ifindex")
    with tcp_listener("server", SERVER_INNER, 2323) as listener, tcp_connect("laptop", SERVER_INNER, 2323) as connection:
        accepted, _ = listener.accept()
        with accepted, Pings("laptop", SERVER_INNER) as seen:
            if scenario == "restart":
                machine.systemctl("restart", UNIT)
            else:
                machine.run(["kill", "-KILL", str(before)])
            machine.wait_new_main_pid(UNIT, before)
            connection.sendall(b"typed meanwhile")
            assert accepted.recv(99) == b"typed meanwhile"
            # The server has nothing but the endpoint it learned.
            accepted.sendall(b"and back")
            assert connection.recv(99) == b"and back"
    assert machine.out("cat /sys/class/net/office0/ifindex") == index
    assert running.server.status("office")["peers"][0]["endpoint"] == learned
    gap = max(later - earlier for earlier, later in zip(seen.answered, seen.answered[1:]))
    print(f"{scenario} of {end}: {len(seen.answered)} of {seen.answered[-1]} pings answered, {gap - 1} missing in a row")


def test_the_tunnel_does_not_notice_a_restart_of_the_manager(running):
    before = [machine.main_pid(UNIT) for machine in running.internet.machines]
    with Pings("laptop", SERVER_INNER) as seen:
        for machine in running.internet.machines:
            machine.systemctl("restart", MANAGER_UNIT)
            machine.vpnctl("status", "office")
    assert [machine.main_pid(UNIT) for machine in running.internet.machines] == before
    assert seen.answered == list(range(1, seen.answered[-1] + 1))
    for machine in running.internet.machines:
        agreed(machine, "office", "office0")


def test_a_restarted_server_reaches_a_silent_laptop(running):
    running.server.systemctl("restart", UNIT)
    assert pings("server", LAPTOP_INNER)


@contextlib.contextmanager
def nothing_leaks():
    """Neither family, whatever is tried, goes past the tunnel."""
    with eavesdropper("laptop") as wire:
        yield
        for target in (SITE[4], SITE[6], "9.9.9.9"):
            assert not answered(ping("laptop", target, seconds=1))
        names = {bytes(map(int, text.split("."))) for text in (SITE[4], "9.9.9.9")}
        seen = wire.packets()
    assert not [one for one in seen if one[0] >> 4 == 4 and not is_of_the_tunnel(one) and one[16:20] in names]
    assert not [one for one in seen if one[0] >> 4 == 6 and one[24] & 0xe0 == 0x20], "nor to any IPv6 address of the world"


def test_an_eternal_kill_switch_holds_whatever_becomes_of_the_session(office):
    laptop = office.laptop
    laptop.profile("office", office.of_laptop(("0.0.0.0/0",), routing={"kill-switch.mode": "always"}))
    laptop.drop_in(UNIT, "RestartSec=1h")
    assert answered(ping("laptop", SITE[4])) and answered(ping("laptop", SITE[6]))
    office.start()
    with nothing_leaks():
        laptop.run(["kill", "-KILL", str(laptop.main_pid(UNIT))])
        laptop.wait_active(UNIT, "activating")
    run("ip", "link", "delete", "office0", netns="laptop", check=False)
    with nothing_leaks():
        pass
    laptop.systemctl("stop", UNIT)
    with nothing_leaks():
        laptop.profile("office", "broken")
        assert laptop.systemctl("start", UNIT, check=False).returncode != 0
    laptop.systemctl("reset-failed", UNIT)
    laptop.profile("office", office.of_laptop(("0.0.0.0/0",)))
    laptop.systemctl("start", UNIT)
    laptop.systemctl("stop", UNIT)
    assert answered(ping("laptop", SITE[4])) and answered(ping("laptop", SITE[6]))
