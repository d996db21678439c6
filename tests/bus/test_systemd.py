"""The manager with systemd as its launcher, and a systemd that says what each test lets it say."""
import contextlib
import os
import signal
import subprocess

import pytest
from conftest import lab_profile
from jeepney import DBusAddress, new_signal

from harness import program
from harness.bus import NOBODY, Client, DBusError, has_other_users
from harness.daemon import World

DRIVER = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
MANAGER = (None, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
UNIT = "vpntund@lab.service"
JOB = "/org/freedesktop/systemd1/job/7"
NO_JOB = ("(uo)", (0, "/"))


class Systemd(Client):
    """Who has systemd's name on the bus; a client of ours that another answers to."""

    def take_name(self):
        assert self.call(DRIVER, "RequestName", "su", "org.freedesktop.systemd1", 4) == 1
        return self

    def expect(self, member, signature=None, *values):
        call = self.next_call(member)
        self.answer(call, signature, *values)
        return call

    def expect_job(self, member):
        self.expect(member, "o", JOB)

    def say_removed(self, result):
        message = new_signal(DBusAddress(MANAGER[1], interface=MANAGER[2]), "JobRemoved", "uoss", (7, JOB, UNIT, result))
        self.connection.send(message)


@pytest.fixture
def world():
    """A manager that was just told that none of its units is loaded."""
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(World(arguments=["--launcher", "systemd"]))
        made.profile("lab", lab_profile())
        made.systemd = stack.enter_context(Systemd(made.bus.address)).take_name()
        made.systemd.expect("Subscribe")
        made.systemd.expect("ListUnitsByPatterns", "a(ssssssouso)", [])
        yield made


def start(world):
    """Begins a start; systemd has a job for it. Gives what awaits the reply."""
    serial = world.client.send(world.client.MANAGER, "Start", "sa{sv}", "lab", {})
    world.systemd.expect_job("StartUnit")
    return lambda: world.client.reply(serial)


def test_a_start_ends_with_its_job(world):
    reply = start(world)
    world.systemd.say_removed("done")
    assert reply() == ("/org/vpntun1/tunnel/lab",)


@pytest.mark.parametrize("name, text", [("org.freedesktop.systemd1.UnitMasked", "Unit polkit.service is masked."),
                                        ("org.freedesktop.DBus.Error.AccessDenied", "Permission denied")])
def test_when_systemd_does_not_let_the_manager_the_error_says_what_is_missing(world, name, text):
    serial = world.client.send(world.client.MANAGER, "Start", "sa{sv}", "lab", {})
    world.systemd.refuse(world.systemd.next_call("StartUnit"), name, text)
    with pytest.raises(DBusError) as refused:
        world.client.reply(serial)
    assert refused.value.name == "org.vpntun1.Error.Failed"
    assert text in refused.value.text and "polkit does not run" in refused.value.text


def test_nobody_can_speak_for_systemd(world):
    if not has_other_users():
        pytest.skip("needs a second user: run the tests as root")
    reply = start(world)
    with Client(world.bus.address, user=NOBODY) as nobody:
        nobody.signal(nobody.call(DRIVER, "GetNameOwner", "s", "org.vpntun1"), MANAGER, "JobRemoved", "uoss", 7, JOB, UNIT,
                      "canceled")
        nobody.list()  # the bus passes messages on in order: the manager has seen it
    world.systemd.say_removed("done")
    assert reply() == ("/org/vpntun1/tunnel/lab",)


@pytest.mark.parametrize("state, error", [("active", None), ("failed", "org.vpntun1.Error.LauncherFailed")])
def test_a_job_that_ended_while_systemd_was_executed_again_is_not_waited_for(world, state, error):
    reply = start(world)
    world.systemd.close()
    with Systemd(world.bus.address).take_name() as again:
        again.expect("Subscribe")
        again.expect("ListUnitsByPatterns", "a(ssssssouso)", [])
        properties = {"ActiveState": ("s", state), "SubState": ("s", ""), "Job": NO_JOB, "Result": ("s", "exit-code"),
                      "ExecMainCode": ("i", 1), "ExecMainStatus": ("i", 75), "StatusText": ("s", "no")}
        again.expect("GetAll", "a{sv}", properties)
        if error is None:
            assert reply() == ("/org/vpntun1/tunnel/lab",)
            return
        again.expect("GetAll", "a{sv}", properties)
        with pytest.raises(DBusError) as failed:
            reply()
        assert failed.value.name == error


def test_a_restart_that_a_stop_overtakes_has_an_end(world):
    """Of a session that was started by hand: it is no unit's, so it is ended by signal."""
    session = subprocess.Popen([program("vpntund"), "--session", "lab", "--profile-folder", world.manager.profiles],
                               env=world.manager.environment(), stderr=subprocess.DEVNULL)
    world.wait_state("lab", "running")
    os.kill(session.pid, signal.SIGSTOP)
    restart = world.client.send(world.client.MANAGER, "Restart", "sa{sv}", "lab", {})
    no_unit = "org.freedesktop.systemd1.NoUnitForPID"
    world.systemd.refuse(world.systemd.next_call("GetUnitByPID"), no_unit, "none")
    stop = world.client.send(world.client.MANAGER, "Stop", "sa{sv}", "lab", {})
    world.systemd.refuse(world.systemd.next_call("GetUnitByPID"), no_unit, "none")
    with pytest.raises(DBusError, match="stopped while starting"):
        world.client.reply(restart)
    os.kill(session.pid, signal.SIGCONT)
    world.client.reply(stop)
    assert session.wait(60) == 0 and world.client.state("lab") == "stopped"
