"""The bus's own files: a bus with the installed policy lets root own the names, and nobody else."""
import os
import subprocess
import sys
import tempfile

import pytest

from harness import bus as bus_module
from harness.bus import Client, PrivateBus
from harness.daemon import Manager

SOURCE = os.environ["VPNTUN_SOURCE_DIR"]
NOBODY = 65534
OWN = """
import sys
from harness.bus import Client, DBusError
with Client(sys.argv[1]) as client:
    for name in sys.argv[2:]:
        try:
            client.call(("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"), "RequestName", "su", name, 4)
            print("owned")
        except DBusError as error:
            print(error.name)
    print(sorted(client.list()))
"""


@pytest.fixture
def strict_bus(monkeypatch):
    """As the system bus of Debian: nobody owns and nobody is called, unless a policy file says so."""
    strict = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
""" + f"<include>{SOURCE}/dbus/org.vpntun1.conf</include></busconfig>"
    monkeypatch.setattr(bus_module, "CONFIG", strict)
    with tempfile.TemporaryDirectory(prefix="vpntun-") as folder:
        os.chmod(folder, 0o755)
        with PrivateBus(folder) as bus, Manager(bus.address, folder):
            yield bus


def test_root_owns_the_names_and_everybody_may_call(strict_bus):
    with Client(strict_bus.address) as client:
        assert client.list() == {}
    if open("/proc/self/uid_map", encoding="utf-8").read().split()[2] == "1":
        pytest.skip("needs a second user: run the tests as root")
    done = subprocess.run([sys.executable, "-B", "-c", OWN, strict_bus.address, "org.vpntun1", "org.vpntun1.session.lab"],
                          user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.splitlines() == ["org.freedesktop.DBus.Error.AccessDenied"] * 2 + ["[]"]
