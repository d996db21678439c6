"""systemctl and vpnctl drive the same tunnels, and agree about them at every moment."""
from harness.waiting import wait_for
from home import HOME, UNIT
from machine import MANAGER_UNIT, unit_of


def assert_both_say(machine, active, state):
    assert machine.active_state(UNIT) == active
    wait_for(lambda: machine.status("home")["state"] == state, f"vpnctl says {state}, as systemctl says {active}")
    assert ("home0" in machine.out("ls /sys/class/net")) == (state == "running")


def pid_that_both_say(machine):
    """The manager hears of a new session a moment after systemd."""
    return wait_for(lambda: (pid := machine.main_pid(UNIT)) == machine.status("home")["pid"] and pid, "one process is both's")


def test_the_manager_is_started_by_the_first_question(machine):
    machine.systemctl("stop", MANAGER_UNIT)
    assert machine.active_state(MANAGER_UNIT) == "inactive"
    machine.vpnctl("status")
    assert machine.active_state(MANAGER_UNIT) == "active"


def test_what_systemctl_does_vpnctl_sees(home):
    assert_both_say(home, "inactive", "stopped")
    home.systemctl("start", UNIT)
    assert_both_say(home, "active", "running")
    before = pid_that_both_say(home)
    home.systemctl("restart", UNIT)
    assert_both_say(home, "active", "running")
    assert pid_that_both_say(home) != before
    home.systemctl("stop", UNIT)
    assert_both_say(home, "inactive", "stopped")


def test_what_vpnctl_does_systemctl_sees(home):
    home.vpnctl("start", "home")
    assert_both_say(home, "active", "running")
    before = home.main_pid(UNIT)
    home.vpnctl("restart", "home")
    assert_both_say(home, "active", "running")
    assert home.main_pid(UNIT) != before
    home.vpnctl("stop", "home")
    assert_both_say(home, "inactive", "stopped")


def test_who_comes_second_finds_it_done(home):
    home.systemctl("start", UNIT)
    pid = home.main_pid(UNIT)
    home.vpnctl("start", "home")
    assert home.main_pid(UNIT) == pid
    home.systemctl("stop", UNIT)
    home.vpnctl("stop", "home")
    home.vpnctl("start", "home")
    home.systemctl("start", UNIT)
    assert_both_say(home, "active", "running")


def test_a_tunnel_is_seen_by_a_manager_that_is_started_after_it(home):
    home.systemctl("stop", MANAGER_UNIT)
    home.systemctl("start", UNIT)
    assert_both_say(home, "active", "running")


def test_a_session_goes_on_when_the_manager_stops(home):
    home.vpnctl("start", "home")
    pid = home.main_pid(UNIT)
    home.systemctl("stop", MANAGER_UNIT)
    assert home.main_pid(UNIT) == pid
    assert_both_say(home, "active", "running")


def test_reload_applies_a_changed_profile_without_a_new_process(home):
    home.systemctl("start", UNIT)
    pid = home.main_pid(UNIT)
    home.profile("home", HOME.replace("192.168.60.0/24", "192.168.61.0/24"))
    home.systemctl("reload", UNIT)
    assert home.main_pid(UNIT) == pid
    assert "192.168.61.0/24" in home.out("ip route show dev home0")
    assert "192.168.60.0/24" not in home.out("ip route show dev home0")
    assert "192.168.61.0/24" in home.status("home")["routes"]
    home.profile("home", HOME)
    home.vpnctl("reload", "home")
    assert home.main_pid(UNIT) == pid
    assert "192.168.60.0/24" in home.out("ip route show dev home0")
    assert_both_say(home, "active", "running")


def said_about(machine, tunnel):
    """By the field: on a busy machine journald may ask for a line's unit when the process has ended."""
    return machine.journal(None, f"VPNTUN_TUNNEL={tunnel}")


def test_a_reload_of_a_broken_profile_changes_nothing_and_says_why(home):
    home.systemctl("start", UNIT)
    home.profile("home", HOME.replace("192.168.53.99/24", "192.168.53.999/24"))
    done = home.systemctl("reload", UNIT, check=False)
    assert done.returncode != 0
    assert "192.168.53.999" in home.journal(UNIT, "-n", "20")
    assert "192.168.53.99/24" in home.out("ip -br address show dev home0")
    assert_both_say(home, "active", "running")


def test_systemctl_status_carries_the_health(home):
    home.systemctl("start", UNIT)
    health = home.status("home")["health"]
    wait_for(lambda: home.status("home")["health"] in home.show(UNIT, "StatusText"), f"StatusText says {health}")
    assert home.show(UNIT, "StatusText") in home.systemctl("status", UNIT).stdout


def test_a_failing_start_fails_the_unit_and_says_why_everywhere(home):
    home.profile("home", HOME.replace("192.168.53.99/24", "192.168.53.999/24"))
    assert home.systemctl("start", UNIT, check=False).returncode != 0
    assert home.active_state(UNIT) == "failed"
    assert "192.168.53.999" in home.systemctl("status", "--full", UNIT, check=False).stdout
    assert "192.168.53.999" in said_about(home, "home")
    wait_for(lambda: home.status("home")["state"] == "failed", "so does vpnctl")
    done = home.vpnctl("start", "home", check=False)
    assert done.returncode == 1 and "192.168.53.999" in done.stderr
    home.profile("home", HOME)
    home.vpnctl("start", "home")
    assert_both_say(home, "active", "running")


def test_a_taken_interface_name_fails_the_unit_and_says_whose_it_is(home):
    home.run("ip link add home0 type veth peer name home1")
    try:
        assert home.systemctl("start", UNIT, check=False).returncode != 0
        assert home.active_state(UNIT) == "failed"
        assert "home0" in home.systemctl("status", "--full", UNIT, check=False).stdout
    finally:
        home.run("ip link delete home0")


def test_a_unit_without_a_profile_fails_and_says_so(machine):
    unit = unit_of("nowhere")
    assert machine.systemctl("start", unit, check=False).returncode != 0
    assert machine.show(unit, "ActiveState", "NRestarts") == {"ActiveState": "failed", "NRestarts": "0"}
    assert "nowhere.toml" in said_about(machine, "nowhere")
    machine.systemctl("reset-failed", unit)


def test_a_killed_session_comes_back_on_its_own(home):
    home.systemctl("start", UNIT)
    before = home.main_pid(UNIT)
    home.run(["kill", "-KILL", str(before)])
    home.wait_new_main_pid(UNIT, before)
    assert_both_say(home, "active", "running")
    assert home.show(UNIT, "NRestarts") == "1"


def test_stopping_leaves_nothing(home):
    def network():
        return home.out("ip -o link; ip -o address; ip route show table all; ip -6 route show table all; ip rule; nft list ruleset")
    before = network()
    home.systemctl("start", UNIT)
    assert network() != before
    home.systemctl("stop", UNIT)
    wait_for(lambda: network() == before, "the network is as before")
    assert home.show(UNIT, "NFileDescriptorStore") == "0"
    assert home.main_pid(UNIT) == 0


def test_stopping_after_a_crash_leaves_nothing(home):
    home.systemctl("start", UNIT)
    home.drop_in(UNIT, "RestartSec=1h")
    home.run(["kill", "-KILL", str(home.main_pid(UNIT))])
    wait_for(lambda: home.show(UNIT, "SubState") == "auto-restart", "the unit waits to be restarted")
    home.systemctl("stop", UNIT)
    wait_for(lambda: "home0" not in home.out("ls /sys/class/net"), "the interface is gone")


def test_an_enabled_tunnel_is_up_after_a_reboot_and_a_disabled_one_is_not(home):
    home.systemctl("enable", UNIT)
    home.reboot()
    home.wait_active(UNIT)
    assert_both_say(home, "active", "running")
    home.systemctl("disable", UNIT)
    home.reboot()
    assert_both_say(home, "inactive", "stopped")
