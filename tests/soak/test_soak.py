"""The soak, in short: every disturbance of every tunnel once, under load; and that it sees what goes wrong."""
import contextlib
import os
import signal

from harness.daemon import World
from harness.waiting import wait_for
from soak import TUNNELS, Soak, hosts


def test_nothing_is_lost_whatever_is_done_meanwhile():
    with hosts(), World() as world:
        with Soak(world, seed=1) as soak:
            soak.run(seconds=0)
        assert soak.faults == []
        assert soak.counts["captures"] == soak.counts["reloads"] == len(TUNNELS)
        assert soak.counts["cables out"] == 2 * len(TUNNELS)
        assert soak.counts["files"] > 0 and soak.counts["streams"] > 0 and soak.counts["pings"] > 0


def test_a_session_that_dies_is_a_fault():
    with hosts(), World() as world:
        soak = Soak(world, seed=1)
        soak.patience = 3

        def kill(_):
            with contextlib.suppress(ProcessLookupError):
                os.kill(soak.pids[0], signal.SIGKILL)
            wait_for(lambda: soak.pids[0] not in world.manager.session_pids(), "it is dead")

        soak.disturbances = (kill,)
        with soak:
            soak.run(seconds=0)
        assert "a session died" in soak.faults
