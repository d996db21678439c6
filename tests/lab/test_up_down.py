"""A lab comes up, is used from outside, and leaves nothing, however it ends."""
import os
import signal
import shutil
import subprocess

import pytest

from harness import program
from harness.bus import PrivateBus
from harness.waiting import wait_for
from lab import Lab, assert_as_before, run_until_first_ping, world


def test_up_and_down_leave_nothing(lab):
    before = world()
    said = lab.ok("up")
    assert f"export DBUS_SYSTEM_BUS_ADDRESS=unix:path={lab.folder}/bus" in said
    assert lab.ok("down") == "The lab is down.\n"
    assert_as_before(before, lab)


def test_down_without_a_lab_is_no_failure(lab):
    assert lab.ok("down") == "No lab was up.\n"
    assert lab.ok("down", "--quiet") == ""


def test_what_needs_a_lab_says_that_none_is_up(lab):
    for arguments in (("env",), ("exec", "u", "true"), ("shell", "u")):
        done = lab.run(*arguments)
        assert done.returncode == 3 and "no lab is up: vpnctl lab up" in done.stderr
    assert lab.run("status").returncode == 3


def test_a_second_lab_in_the_same_folder_is_refused(lab_up):
    done = lab_up.run("up")
    assert done.returncode != 0 and "a lab is up already" in done.stderr
    assert lab_up.run("exec", "u", "true").returncode == 0


def test_two_labs_in_two_folders_do_not_meet(lab_up, tmp_path):
    other = Lab(tmp_path / "other")
    other.ok("up")
    try:
        assert "10.0.2.7/24" in other.ok("exec", "u", "ip", "address")
    finally:
        other.ok("down")


def test_down_waits_for_a_lab_that_is_coming_up(lab, tmp_path):
    slow = tmp_path / "bin" / "dbus-daemon"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\nsleep 2\nexec {shutil.which("dbus-daemon")} "$@"\n')
    slow.chmod(0o755)
    lab.environment["PATH"] = f"{slow.parent}:{lab.environment['PATH']}"
    coming = lab.start("up")
    wait_for(lambda: os.path.exists(lab.folder + "/bus.conf"), "the bus is about to start")
    assert lab.ok("down") == "The lab is down.\n"
    coming.communicate(timeout=60)


def test_whoever_ignores_the_end_of_children_may_call_it(lab_up):
    deaf = ["env", "--ignore-signal=CHLD", *lab_up.command("exec", "u", "sh", "-c", "exit 7")]
    assert subprocess.run(deaf, env=lab_up.environment, timeout=60, check=False).returncode == 7


def test_exec_gives_the_programs_own_exit_code(lab_up):
    assert lab_up.run("exec", "u", "true").returncode == 0
    assert lab_up.run("exec", "U", "true").returncode == 0
    assert lab_up.run("exec", "server", "sh", "-c", "exit 7").returncode == 7
    assert lab_up.run("exec", "v", "sh", "-c", "kill -9 $$").returncode == 137
    assert lab_up.run("exec", "v", "no-such-program").returncode == 127
    assert lab_up.run("exec", "v").returncode == 2
    assert lab_up.run("exec", "nowhere", "true").returncode == 2


def test_a_wrong_command_line_is_exit_code_2_and_says_what_is_wrong(lab):
    for arguments, said in (((), "a verb is missing"), (("explode",), 'there is no verb "explode"'),
                            (("exec", "nowhere", "true"), "nowhere not in {server,u,v}"), (("exec", "u"), "--help"),
                            (("run", "12"), "there is no task 12")):
        done = lab.run(*arguments)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert done.stderr.startswith("vpnctl lab: ")


def test_exec_passes_arguments_input_and_folder(lab_up, tmp_path):
    assert lab_up.ok("exec", "u", "printf", "%s,", "-c", "--keep", "a b", "--", "$HOME") == "-c,--keep,a b,--,$HOME,"
    done = subprocess.run(lab_up.command("exec", "u", "cat"), env=lab_up.environment, input="typed", text=True,
                          capture_output=True, timeout=60, check=True)
    assert done.stdout == "typed"
    assert lab_up.ok("exec", "u", "pwd", cwd=tmp_path).strip() == str(tmp_path)


def test_exec_passes_a_signal_on(lab_up):
    sleeper = lab_up.start("exec", "u", "sh", "-c", "echo ready; exec sleep 60")
    assert sleeper.stdout.readline() == "ready\n"
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(60) == 128 + signal.SIGTERM


def test_each_host_has_its_addresses(lab_up):
    for host, addresses in (("u", ["10.0.2.7/24"]), ("server", ["10.0.2.8/24", "192.168.60.1/24"]),
                            ("v", ["192.168.60.101/24"])):
        shown = lab_up.ok("exec", host, "ip", "-4", "address")
        assert all(f"inet {address}" in shown for address in addresses)
    assert "192.168.53.0/24 via 192.168.60.1" in lab_up.ok("exec", "v", "ip", "route")
    assert "inet 192.168.60.101/24" in lab_up.ok("exec", "u", "ip", "netns", "exec", "v", "ip", "-4", "address")


def test_vpnctl_reaches_the_manager_from_outside(lab_up):
    line = lab_up.ok("env").strip()
    script = f"{line}; {program('vpnctl')} start lab-server lab && {program('vpnctl')} status lab"
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "192.168.53.99/24" in shown
    assert "ttl=63" in lab_up.ok("exec", "u", "ping", "-n", "-c", "1", "-W", "60", "192.168.60.101")
    status = lab_up.ok("status")
    assert "192.168.53.98/24" in status and "lab-server  running" in status


def test_the_manager_can_be_on_the_systems_bus(lab, tmp_path):
    with PrivateBus(str(tmp_path)) as bus:
        lab.environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
        lab.ok("up", "--bus", "system")
        assert lab.ok("env") == f"export DBUS_SYSTEM_BUS_ADDRESS='{bus.address}'\n"
        assert "stopped" in subprocess.run([program("vpnctl"), "status"], env=lab.environment, capture_output=True,
                                           text=True, timeout=60, check=True).stdout
        lab.ok("down")


def test_the_login_service_of_v_answers_on_the_intranet(lab_up):
    script = ("import socket\ns = socket.create_connection(('192.168.60.101', 23), 60)\nf = s.makefile('rwb', 0)\n"
              "f.write(b'me\\r\\n\\xff\\xfd\\x01pw\\r\\nhello\\r\\nexit\\r\\n')\nprint(f.read())")
    said = lab_up.ok("exec", "server", "/usr/bin/python3", "-c", script)
    assert "login: Password: Welcome to V, me" in said and "v$ hello" in said


def test_logins_that_never_end_keep_nobody_out(lab_up):
    script = ("import socket\nmany = [socket.create_connection(('192.168.60.101', 23), 60) for _ in range(40)]\n"
              "print(many[-1].recv(100))")
    assert "V login" in lab_up.ok("exec", "server", "/usr/bin/python3", "-c", script)


@pytest.mark.parametrize("victim", [0, 1], ids=["guardian", "keeper"])
def test_a_killed_lab_leaves_no_process_and_no_namespace(lab, victim):
    before = world()
    lab.ok("up")
    os.kill(lab.pids()[victim], signal.SIGKILL)
    wait_for(lambda: world() == before, "processes, links and namespaces as before")
    assert lab.run("exec", "u", "true").returncode == 3
    lab.ok("up")  # a folder left behind is no obstacle
    lab.ok("down")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_takes_its_lab_down(lab, number):
    before = world()
    running = run_until_first_ping(lab, "8")
    running.send_signal(number)
    expected = -signal.SIGKILL if number == signal.SIGKILL else 128 + number
    assert running.wait(60) == expected
    running.stdout.close()
    wait_for(lambda: world() == before, "processes, links and namespaces as before")


def test_a_folder_of_somebody_else_is_refused(lab, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    done = Lab(theirs).run("up")
    assert done.returncode == 5 and "belongs to somebody else" in done.stderr


def test_a_missing_dbus_daemon_is_named(lab):
    lab.environment["PATH"] = "/nonexistent"
    done = lab.run("up")
    assert done.returncode != 0 and "dbus-daemon" in done.stderr and "apt install" in done.stderr
