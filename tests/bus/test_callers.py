"""Several callers, callers that go away, and starts that are stopped: each ends in a defined state."""
import os
import signal

import pytest

from harness.bus import DBusError
from harness.host import unchanged_host
from harness.waiting import wait_for


def send_start(client, name="lab"):
    return client.send(client.MANAGER, "Start", "sa{sv}", name, {})


def send_stop(client, name="lab"):
    return client.send(client.MANAGER, "Stop", "sa{sv}", name, {})


def test_two_clients_that_start_at_once_get_the_same_result(held):
    with held.new_client() as other:
        first, second = send_start(held.client), send_start(other)
        held.wait_state("lab", "starting")
        held.release()
        assert held.client.reply(first) == other.reply(second) == ("/org/vpntun1/tunnel/lab",)
    assert len(held.manager.session_pids()) == 1


def test_two_clients_that_start_at_once_get_the_same_error(held):
    held.manager.write_profile("lab", "")
    with held.new_client() as other:
        calls = [(held.client, send_start(held.client)), (other, send_start(other))]
        held.release()
        for client, serial in calls:
            with pytest.raises(DBusError, match="InvalidProfile"):
                client.reply(serial)


def test_a_client_that_vanishes_changes_nothing(held):
    other = held.new_client()
    send_start(other)
    held.wait_state("lab", "starting")
    other.close()
    held.release()
    held.wait_state("lab", "running")
    session = held.manager.session_pids()[0]
    os.kill(session, signal.SIGSTOP)  # its end waits until the caller is gone
    other = held.new_client()
    send_stop(other)
    held.wait_state("lab", "stopping")
    other.close()
    os.kill(session, signal.SIGCONT)
    held.wait_state("lab", "stopped")


def test_stop_while_starting_ends_the_start_with_an_error(held):
    with unchanged_host(), held.new_client() as other:
        starting = send_start(held.client)
        wait_for(lambda: other.state("lab") == "starting", "starting")
        assert other.stop("lab") is None
        with pytest.raises(DBusError) as refused:
            held.client.reply(starting)
        assert refused.value.name == "org.vpntun1.Error.Failed"
        assert "stopped while starting" in refused.value.text
        assert other.state("lab") == "stopped" and held.manager.session_pids() == []


def test_restart_while_starting_starts_anew(held):
    with held.new_client() as other:
        starting = send_start(held.client)
        wait_for(lambda: other.state("lab") == "starting", "starting")
        restarting = other.send(other.MANAGER, "Restart", "sa{sv}", "lab", {})
        with pytest.raises(DBusError, match="stopped while starting"):
            held.client.reply(starting)
        held.release()
        assert other.reply(restarting) == ("/org/vpntun1/tunnel/lab",)
        assert len(held.manager.session_pids()) == 1


def test_two_hundred_calls_at_once_are_all_answered(lab):
    lab.client.start("lab")
    serials = []
    for number in range(200):
        method, signature, arguments = (("Status", "s", ("lab",)), ("List", None, ()), ("Describe", None, ()),
                                        ("Start", "sa{sv}", ("lab", {})))[number % 4]
        serials.append(lab.client.send(lab.client.MANAGER, method, signature, *arguments))
    refused = 0
    for serial in serials:
        try:
            lab.client.reply(serial)
        except DBusError as error:
            assert error.name == "org.freedesktop.DBus.Error.LimitsExceeded", error
            refused += 1
    assert refused < 50  # only Start can be refused, beyond 16 of one caller
    assert lab.client.state("lab") == "running"


def test_starts_and_stops_at_random_end_in_a_defined_state(lab):
    with unchanged_host():
        clients = [lab.new_client() for _ in range(4)]
        try:
            for turn in range(6):
                calls = [(client, (send_start, send_stop)[(turn + at) % 2](client)) for at, client in enumerate(clients)]
                for client, serial in calls:
                    try:
                        client.reply(serial)
                    except DBusError as error:
                        assert error.name in ("org.vpntun1.Error.InProgress", "org.vpntun1.Error.Failed"), error
                assert lab.client.state("lab") in ("running", "stopped")
            lab.client.stop("lab")
            assert lab.manager.session_pids() == []
        finally:
            for client in clients:
                client.close()
