"""The bus's own files: with the installed policy root owns the names and nobody else, and sessions tell root."""
import os
import tempfile

import pytest

from conftest import lab_profile
from harness.bus import NOBODY, Client, DBusError, PrivateBus, has_other_users
from harness.daemon import Manager
from harness.waiting import wait_for

SOURCE = os.environ["VPNTUN_SOURCE_DIR"]
DRIVER = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
PROPERTIES = "org.freedesktop.DBus.Properties"
DENIED = "org.freedesktop.DBus.Error.AccessDenied"


# As the system bus of Debian: nobody owns and nobody is called, unless a policy file says so; and ours.
STRICT_POLICY = f"""<policy context="default">
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
  <include>{SOURCE}/dbus/org.vpntun1.conf</include>"""


@pytest.fixture
def strict_bus():
    with tempfile.TemporaryDirectory(prefix="vpntun-") as folder:
        os.chmod(folder, 0o755)
        with PrivateBus(folder, STRICT_POLICY) as bus, Manager(bus.address, folder) as manager:
            yield manager


@pytest.fixture
def nobody(strict_bus):
    if not has_other_users():
        pytest.skip("needs a second user: run the tests as root")
    with Client(strict_bus.bus_address, user=NOBODY) as client:
        yield client


def error_of(client, address, method, signature=None, *arguments):
    with pytest.raises(DBusError) as refused:
        client.call(address, method, signature, *arguments)
    return refused.value


def test_only_root_owns_the_names_and_everybody_may_call_the_manager(nobody):
    for name in ("org.vpntun1", "org.vpntun1.session.lab"):
        assert error_of(nobody, DRIVER, "RequestName", "su", name, 4).name == DENIED
    assert nobody.list() == {}


def test_what_a_session_says_of_itself_is_for_root(strict_bus, nobody):
    strict_bus.write_profile("lab", lab_profile())
    with Client(strict_bus.bus_address) as root:
        wait_for(lambda: "lab" in root.list(), "the profile is listed")
        root.start("lab")
        assert root.get_all("org.vpntun1.session.lab", "/org/vpntun1/session/peer/server", "org.vpntun1.Peer")["Endpoint"]
    session = ("org.vpntun1.session.lab", "/org/vpntun1/session")
    for path in (session[1], session[1] + "/peer/server"):
        assert error_of(nobody, (session[0], path, PROPERTIES), "GetAll", "s", "").name == DENIED
    assert error_of(nobody, (*session, "org.vpntun1.Session"), "Status").name == DENIED
    assert "policy matches" not in error_of(nobody, (*session, "org.vpntun1.Diagnostics"), "Capture", "a{sv}", {}).text
    nobody.call((*session, "org.freedesktop.DBus.Introspectable"), "Introspect")


def test_nobody_can_speak_for_the_bus(strict_bus, nobody):
    """The bus passes signals to one receiver on from everybody, also those that only the bus itself may say."""
    strict_bus.write_profile("lab", lab_profile())
    with Client(strict_bus.bus_address) as root:
        wait_for(lambda: "lab" in root.list(), "the profile is listed")
        root.start("lab")
        session = root.call(DRIVER, "GetNameOwner", "s", "org.vpntun1.session.lab")
        manager = root.call(DRIVER, "GetNameOwner", "s", "org.vpntun1")
        nobody.signal(manager, DRIVER, "NameOwnerChanged", "sss", "org.vpntun1.session.lab", session, "")
        nobody.list()  # the bus passes messages on in order: the manager has seen it
        assert "peers" in root.status("lab")
