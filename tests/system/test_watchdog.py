"""A data path that hangs is noticed by systemd's watchdog and replaced, without loss."""
import pytest

from harness.waiting import wait_for
from harness.stopped_thread import StoppedThread, threads
from traffic import Traffic

# Ours says 20 s; the test does not want to wait so long.
FAST = "WatchdogSec=2s\n"


@pytest.fixture(scope="module")
def running(lab):
    for machine, _, unit in lab.ends():
        machine.drop_in(unit, FAST)
    lab.start()
    yield lab
    lab.stop()


def worker_of(machine, pid):
    """The thread that moves packets."""
    names = threads(machine.host_pid(pid))
    return next(thread for thread, name in names.items() if name.startswith("vpntun-w"))


@pytest.mark.parametrize("end", [0, 1], ids=["client", "server"])
def test_a_stopped_worker_is_replaced_and_nothing_is_lost(running, end):
    machine, tunnel, unit = running.ends()[end]
    before = machine.main_pid(unit)
    with Traffic() as traffic:
        with StoppedThread(worker_of(machine, before)) as stopped:
            wait_for(stopped.gone, "the watchdog ends the session")
            machine.wait_new_main_pid(unit, before)
    traffic.assert_nothing_lost()
    assert "watchdog" in machine.journal(unit).lower()
    assert machine.status(tunnel)["state"] == "running"


def test_a_session_that_works_is_left_alone_for_many_periods(running):
    before = [(machine.main_pid(unit), machine.show(unit, "NRestarts")) for machine, _, unit in running.ends()]
    with Traffic() as traffic:
        answered = len(traffic.pinger.answered)
        wait_for(lambda: len(traffic.pinger.answered) > answered + 250, "five seconds of traffic")
    traffic.assert_nothing_lost()
    assert [(machine.main_pid(unit), machine.show(unit, "NRestarts")) for machine, _, unit in running.ends()] == before
