"""What systemd does with the units by itself, and what others do, the manager shows; what is not its unit's it ends otherwise."""
from harness.waiting import wait_for
from home import UNIT
from machine import MANAGER_UNIT


def wait_says(machine, state, words=""):
    """Until vpnctl shows the tunnel in that state, for a reason with these words."""
    def says():
        shown = machine.status("home")
        return shown["state"] == state and words in shown["reason"]["text"]
    wait_for(says, f"vpnctl says {state} {words}", interval=0.05)


def test_a_session_that_systemd_will_start_again_is_starting_with_the_reason(home):
    home.drop_in(UNIT, "RestartSec=10")
    home.vpnctl("start", "home")
    before = home.main_pid(UNIT)
    home.systemctl("kill", "--signal=KILL", UNIT)
    wait_says(home, "starting", "signal (9)")
    assert home.show(UNIT, "SubState") == "auto-restart"
    home.wait_new_main_pid(UNIT, before)
    wait_says(home, "running")


def test_a_stop_ends_the_waiting_for_the_next_try(home):
    home.drop_in(UNIT, "RestartSec=60")
    home.vpnctl("start", "home")
    home.systemctl("kill", "--signal=KILL", UNIT)
    wait_says(home, "starting", "signal (9)")
    home.vpnctl("stop", "home")
    wait_says(home, "stopped")
    assert home.show(UNIT, "SubState") in ("dead", "failed")


def test_a_start_by_systemctl_that_fails_is_failed_until_it_is_forgotten(home):
    home.profile("home", "nonsense")
    for forget in (("vpnctl", "stop", "home"), ("systemctl", "reset-failed", UNIT)):
        assert home.systemctl("start", UNIT, check=False).returncode != 0
        wait_says(home, "failed")
        assert home.status("home")["reason"]["code"] == "invalid-profile"
        home.systemctl("restart", MANAGER_UNIT)
        wait_says(home, "failed")
        home.run(list(forget))
        wait_says(home, "stopped")
        assert home.active_state(UNIT) == "inactive"


def by_hand(machine, *settings):
    machine.run(["systemd-run", "--unit=by-hand", "--collect", *settings, "/usr/sbin/vpntund", "--session", "home"])
    wait_says(machine, "running")


def test_a_session_that_is_not_its_units_is_ended_by_signal(home):
    by_hand(home, "-p", "User=vpntun", "-p", "AmbientCapabilities=CAP_NET_ADMIN")
    home.vpnctl("stop", "home")
    wait_says(home, "stopped")
    assert "home0" not in home.out("ls /sys/class/net")


def test_one_that_cannot_be_ended_is_shown_running(home):
    by_hand(home)
    refused = home.vpnctl("stop", "home", check=False)
    assert refused.returncode != 0 and "was not started by systemd" in refused.stderr
    wait_says(home, "running")
    home.systemctl("stop", "by-hand.service")
    wait_for(lambda: home.status("home")["state"] in ("failed", "stopped"), "its end is noticed")


def test_when_dbus_is_restarted_sessions_stay_and_are_found_again(home):
    home.vpnctl("start", "home")
    pid = home.main_pid(UNIT)
    home.systemctl("restart", "dbus.service")
    wait_for(lambda: home.vpnctl("status", "home", "--json", check=False).returncode == 0 and
             home.status("home")["pid"] == pid, "the same session is shown again", interval=0.2)
    assert home.main_pid(UNIT) == pid and home.show(UNIT, "NRestarts") == "0"
