"""Deaths: of the manager, of a session, of the bus. Traffic's owner survives the manager, and nothing is lost sight of."""
import os
import signal
import socket
import subprocess
import time

import pytest
from conftest import lab_profile

from harness import program
from harness.bus import DBusError
from harness.host import host_state, unchanged_host
from harness.waiting import wait_for


def end_bus(lab):
    """Ends the bus, and with it the manager: it holds nothing, and systemd, or the next call, starts it again."""
    lab.bus.end()
    if lab.manager.process is not None:
        assert lab.manager.process.wait(60) == 1
        lab.manager.process = None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_sessions_outlive_the_manager_and_the_next_one_takes_them_over(lab, how):
    with unchanged_host():
        lab.client.start("lab")
        session = lab.manager.session_pids()
        assert lab.manager.end(how) == (0 if how == signal.SIGTERM else -how)
        assert lab.manager.session_pids() == session
        assert any(link.startswith("tun0 ") for link in host_state()["links"])
        lab.manager.start()
        lab.wait_state("lab", "running")
        assert lab.client.status("lab")["pid"] == session[0] and lab.client.list()["lab"][3] == "tun0"
        assert lab.client.start("lab") == "/org/vpntun1/tunnel/lab" and lab.manager.session_pids() == session
        lab.client.stop("lab")
        assert lab.manager.session_pids() == []


def test_a_start_right_after_the_manager_came_back_finds_the_session(lab):
    lab.client.start("lab")
    session = lab.manager.session_pids()
    lab.manager.kill()
    lab.manager.start()
    lab.client.start("lab")
    assert lab.manager.session_pids() == session


def test_a_session_whose_profile_vanished_meanwhile_is_taken_over_too(lab):
    lab.client.start("lab")
    lab.manager.kill()
    lab.manager.remove_profile("lab")
    lab.manager.start()
    lab.wait_state("lab", "running")
    lab.client.stop("lab")
    assert lab.client.list() == {} and lab.manager.session_pids() == []


def test_a_killed_session_is_failed_with_a_reason_and_can_be_started_again(lab):
    with unchanged_host():
        lab.client.start("lab")
        os.kill(lab.manager.session_pids()[0], signal.SIGKILL)
        lab.wait_state("lab", "failed")
        reason = lab.client.status("lab")["reason"]
        assert reason["code"] == "launcher-failed" and "signal 9" in reason["text"]
        lab.client.start("lab")
        lab.client.stop("lab")


def test_an_adopted_session_that_is_killed_is_noticed(lab):
    lab.client.start("lab")
    lab.manager.kill()
    lab.manager.start()
    lab.wait_state("lab", "running")
    os.kill(lab.manager.session_pids()[0], signal.SIGKILL)
    lab.wait_state("lab", "failed")


def test_a_session_that_somebody_else_ends_is_stopped_not_failed(lab):
    lab.client.start("lab")
    os.kill(lab.manager.session_pids()[0], signal.SIGTERM)
    lab.wait_state("lab", "stopped")


def test_a_session_started_by_hand_is_shown_and_stopped(lab):
    with unchanged_host():
        session = subprocess.Popen([program("vpntund"), "--session", "lab", "--profile-folder", lab.manager.profiles],
                                   env=lab.manager.environment(), stderr=subprocess.DEVNULL)
        lab.wait_state("lab", "running")
        assert lab.client.status("lab")["pid"] == session.pid
        lab.client.stop("lab")
        assert session.wait(60) == 0


def test_a_second_session_of_a_tunnel_ends_before_it_touches_the_host(lab):
    lab.client.start("lab")
    with unchanged_host():
        second = subprocess.run([program("vpntund"), "--session", "lab", "--profile-folder", lab.manager.profiles],
                                env=lab.manager.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 70 and "runs already" in second.stderr
    assert lab.client.state("lab") == "running"


def test_a_second_manager_ends_and_leaves_the_first_alone(lab):
    second = subprocess.run([program("vpntund"), "--launcher", "process", "--profile-folder", lab.manager.profiles,
                             "--runtime-folder", os.path.join(lab.folder, "run")], env=lab.manager.environment(),
                            capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1 and "runs already" in second.stderr
    lab.client.start("lab")  # the socket its sessions report to is still there


def test_a_silent_session_is_shown_with_what_the_manager_knows(lab):
    lab.client.start("lab")
    pid = lab.manager.session_pids()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        status = lab.client.status("lab")
        assert status["state"] == "running" and status["interface"] == "tun0"
        assert status["reason"]["code"] == "session-silent" and status["health"] == "unknown"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: "peers" in lab.client.status("lab"), "it answers again")


def test_a_tunnel_whose_interface_is_deleted_fails_with_a_reason(lab):
    lab.client.start("lab")
    subprocess.run(["ip", "link", "delete", "tun0"], check=True, timeout=60)
    lab.wait_state("lab", "failed")
    assert "tun0" in lab.client.status("lab")["reason"]["text"]


def test_when_the_bus_is_restarted_the_tunnel_goes_on_and_its_session_comes_back(lab):
    lab.client.start("lab")
    session, before = lab.manager.session_pids(), host_state()
    end_bus(lab)
    assert "lost the connection to the D-Bus system bus" in lab.manager.log()
    assert lab.manager.session_pids() == session and host_state() == before
    lab.bus.start()
    with lab.new_client() as client:
        wait_for(lambda: "org.vpntun1.session.lab" in client.owned_names(), "the session is back on the bus")
        facts = client.get_all("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
        assert facts["MainPID"] == session[0]
        lab.manager.start()
        wait_for(lambda: client.state("lab") == "running", "the next manager finds it")
        assert client.status("lab")["peers"][0]["name"] == "server" and client.status("lab")["pid"] == session[0]
        client.stop("lab")
    assert lab.manager.session_pids() == []


def test_a_session_waits_for_a_bus_that_stays_away_for_a_while(lab):
    lab.client.start("lab")
    session = lab.manager.session_pids()
    for _ in range(2):
        end_bus(lab)
        time.sleep(1.5)  # several attempts
        assert lab.manager.session_pids() == session
        lab.bus.start()
        with lab.new_client() as client:
            wait_for(lambda: "org.vpntun1.session.lab" in client.owned_names(), "the session is back on the bus")


def test_a_session_without_a_bus_can_still_be_ended(lab):
    with unchanged_host():
        lab.client.start("lab")
        session = lab.manager.session_pids()
        end_bus(lab)
        os.kill(session[0], signal.SIGTERM)
        wait_for(lambda: not lab.manager.session_pids(), "the session ends")


def test_without_a_bus_nothing_starts(lab):
    environment = dict(lab.manager.environment(), DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere")
    for arguments, status in ((["--session", "lab"], 64), ([], 1)):
        done = subprocess.run([program("vpntund"), "--profile-folder", lab.manager.profiles, *arguments], env=environment,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status and "cannot reach the D-Bus system bus" in done.stderr


def test_the_command_line_is_checked(lab):
    for arguments, status, words in ((["--version"], 0, "vpntund 0."), (["--help"], 0, "--profile-folder"),
                                     (["--launcher", "magic"], 2, "magic"), (["--session", "../x"], 2, "../x"),
                                     (["--session", "nobody"], 67, "nobody.toml"), (["more"], 2, "more")):
        done = subprocess.run([program("vpntund"), "--profile-folder", lab.manager.profiles, *arguments],
                              env=lab.manager.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status and words in done.stdout + done.stderr


def test_a_profile_that_became_invalid_has_its_own_status(lab):
    lab.manager.write_profile("lab", lab_profile(address="nowhere"))
    done = subprocess.run([program("vpntund"), "--session", "lab", "--profile-folder", lab.manager.profiles],
                          env=lab.manager.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 68 and "address" in done.stderr


def test_a_bus_that_accepts_and_does_not_answer_holds_nothing_up(lab):
    with unchanged_host():
        lab.client.start("lab")
        session = lab.manager.session_pids()
        end_bus(lab)
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(lab.bus.socket)
            os.chmod(lab.bus.socket, 0o666)
            mute.listen()
            mute.accept()[0].close()  # the session has come
            with mute.accept()[0]:
                os.kill(session[0], signal.SIGTERM)
                wait_for(lambda: not lab.manager.session_pids(), "the session ends")
