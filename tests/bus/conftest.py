"""Fixtures of the D-Bus tests: a world with a manager, and profiles that can be started in it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from harness.daemon import World  # noqa: E402


def lab_profile(name="tun0", address="192.168.53.99/24", port=9090, description="Lab", extra=""):
    """A tunnel towards a peer of this host that nobody plays."""
    return f"""version = 1
description = "{description}"
[tunnel]
encryption = "none"
[interface]
name = "{name}"
address = "{address}"
mtu = 1400
listen-port = {port}
{extra}
[[peer]]
name = "server"
endpoint = "127.0.0.1:9999"
allowed-ips = ["192.168.60.0/24"]
"""


@pytest.fixture
def world():
    with World() as made:
        yield made


@pytest.fixture
def lab(world):
    """A world with the profile "lab", stopped."""
    world.profile("lab", lab_profile())
    return world


@pytest.fixture
def held(monkeypatch):
    """A world whose sessions start only after release()."""
    with World() as made:
        hold = os.path.join(made.folder, "hold")
        with open(hold, "w", encoding="utf-8"):
            pass
        monkeypatch.setenv("VPNTUN_HOLD", hold)
        monkeypatch.setenv("LD_PRELOAD", os.environ["VPNTUN_HOLD_SESSION"])
        monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
        made.manager.end()
        made.manager.start()
        monkeypatch.delenv("LD_PRELOAD")
        made.release = lambda: os.unlink(hold)
        made.profile("lab", lab_profile())
        yield made
