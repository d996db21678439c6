"""What happens to a running tunnel: the scenarios of test_restart.py and of tests/bench/restart.py."""
import os

import packages
from harness.waiting import wait_for
from machine import MANAGER_UNIT


def restart(machine, tunnel, unit):
    before = machine.main_pid(unit)
    machine.systemctl("restart", unit)
    assert machine.main_pid(unit) not in (0, before)


def vpnctl_restart(machine, tunnel, unit):
    before = machine.main_pid(unit)
    machine.vpnctl("restart", tunnel)
    machine.wait_new_main_pid(unit, before)


def kill(machine, tunnel, unit):
    before = machine.main_pid(unit)
    machine.run(["kill", "-KILL", str(before)])
    machine.wait_new_main_pid(unit, before)


def upgrade(machine, tunnel, unit):
    """The newer packages are installed, then the session is restarted with the new program."""
    install(machine, upgraded=True)
    restart(machine, tunnel, unit)


def install(machine, upgraded=False):
    files = packages.package_files(machine.release, upgraded)
    for path in files:
        with open(path, "rb") as file, open(os.path.join(machine.root, "var/tmp", os.path.basename(path)), "wb") as copy:
            copy.write(file.read())
    names = [os.path.join("/var/tmp", os.path.basename(path)) for path in files]
    machine.run(["dpkg", "--install", *names], timeout=120)
    machine.run(["rm", *names])


def kill_manager(machine, tunnel, unit):
    machine.vpnctl("status")  # the manager runs
    before = machine.main_pid(MANAGER_UNIT)
    machine.run(["kill", "-KILL", str(before)])
    machine.wait_new_main_pid(MANAGER_UNIT, before)


def restart_dbus(machine, tunnel, unit):
    machine.systemctl("restart", "dbus.service")
    wait_for(lambda: machine.vpnctl("status", tunnel, check=False).returncode == 0, "vpnctl finds the tunnel again", interval=0.2)


def reexec_systemd(machine, tunnel, unit):
    machine.systemctl("daemon-reexec")
    wait_for(lambda: machine.systemctl("is-active", unit, check=False).returncode == 0, "systemd knows the session again")


# The session is a new process afterwards.
NEW_SESSION = {"systemctl restart": restart, "vpnctl restart": vpnctl_restart, "SIGKILL": kill,
               "upgrade and restart": upgrade}
# The session goes on.
SAME_SESSION = {"upgrade": lambda machine, tunnel, unit: install(machine, upgraded=True),
                "manager SIGKILL": kill_manager, "dbus restart": restart_dbus, "daemon-reexec": reexec_systemd}
