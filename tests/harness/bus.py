"""A private D-Bus daemon that behaves like the system bus, and a small client of it."""
import contextlib
import os
import socket
import subprocess
import time

from jeepney import (DBusAddress, HeaderFields, MessageFlag, MessageType, new_error, new_method_call, new_method_return,
                     new_signal)
from jeepney.io.blocking import open_dbus_connection

from .waiting import wait_for

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {policy}
  <limit name="max_replies_per_connection">4096</limit>
</busconfig>
"""
# Everybody may do everything.
OPEN_POLICY = """<policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>"""


class PrivateBus:
    """dbus-daemon on a socket in `folder`; everybody may connect. policy: elements of its configuration."""

    def __init__(self, folder, policy=OPEN_POLICY):
        self.policy = policy
        self.socket = os.path.join(folder, "bus")
        self.address = f"unix:path={self.socket}"
        self.config = os.path.join(folder, "bus.conf")
        self.log = os.path.join(folder, "bus.log")
        self.process = None

    def __enter__(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(socket=self.socket, policy=self.policy))
        self.start()
        return self

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["dbus-daemon", f"--config-file={self.config}", "--nofork", "--nopidfile"],
                                            stdout=log, stderr=log)
        wait_for(self.listens, "the bus listens")
        os.chmod(self.socket, 0o666)

    def listens(self):
        """The socket exists some moments before it accepts anybody."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def end(self):
        """Every connection to it dies; start() makes a new bus at the same address."""
        self.process.terminate()
        self.process.wait(30)

    def __exit__(self, *_):
        self.end()


NOBODY = 65534


def has_other_users():
    """Not where root is the only user that there is: in a user namespace of one."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return os.geteuid() == 0 and sum(int(line.split()[2]) for line in file) > 1


@contextlib.contextmanager
def as_user(user):
    """This process with that user's id; it can come back."""
    os.setresuid(user, user, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


class DBusError(Exception):
    """An error reply: its name and text."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


def plain(value):
    """A value without the (signature, value) pairs of its variants."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and _is_variant(value):
        return plain(value[1])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _is_variant(pair):
    first = {str: "sog", bool: "b", int: "ynqiuxth", float: "d", dict: "a", list: "a", tuple: "(v"}
    return bool(pair[0]) and pair[0][0] in first.get(type(pair[1]), "")


class Client:
    """One connection to the bus; methods block, with a deadline."""

    MANAGER = ("org.vpntun1", "/org/vpntun1", "org.vpntun1.Manager")

    def __init__(self, address, enable_fds=False, user=None):
        """user: a user id, as which the bus knows us."""
        with as_user(user) if user is not None else contextlib.nullcontext():
            self.connection = open_dbus_connection(address, enable_fds=enable_fds)
        self.name = self.connection.unique_name
        self.replies = {}
        self.signals = []
        self.calls = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def send(self, address, method, signature=None, *arguments, interactive=False):
        """Sends a call and returns its serial. address: (bus name, path, interface)."""
        name, path, interface = address
        message = new_method_call(DBusAddress(path, name, interface), method, signature, tuple(arguments))
        if interactive:
            message.header.flags |= MessageFlag.allow_interactive_authorization
        serial = next(self.connection.outgoing_serial)
        self.connection.send(message, serial=serial)
        return serial

    def reply(self, serial, seconds=60.0):
        """The body of the reply to that call; raises DBusError."""
        deadline = time.monotonic() + seconds
        while serial not in self.replies:
            self._receive(deadline)
        message = self.replies.pop(serial)
        if message.header.message_type == MessageType.error:
            raise DBusError(message.header.fields[HeaderFields.error_name], message.body[0] if message.body else "")
        return message.body

    def call(self, address, method, signature=None, *arguments, seconds=60.0):
        """Calls and returns the one result, several as a tuple, or None."""
        body = self.reply(self.send(address, method, signature, *arguments), seconds)
        return body[0] if len(body) == 1 else (body or None)

    def _receive(self, deadline):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no message from the bus in time")
        message = self.connection.receive(timeout=remaining)
        fields = message.header.fields
        if HeaderFields.reply_serial in fields:
            self.replies[fields[HeaderFields.reply_serial]] = message
        elif message.header.message_type == MessageType.signal:
            self.signals.append(message)
        elif message.header.message_type == MessageType.method_call:
            self.calls.append(message)

    def next_call(self, member, seconds=60.0):
        """The next call somebody made to us of that method, seen already or to come."""
        deadline = time.monotonic() + seconds
        while True:
            for call in self.calls:
                if call.header.fields[HeaderFields.member] == member:
                    self.calls.remove(call)
                    return call
            self._receive(deadline)

    def answer(self, call, signature=None, *values):
        self.connection.send(new_method_return(call, signature, tuple(values)))

    def signal(self, receiver, address, member, signature=None, *values):
        """Sends it to one receiver alone. address: (ignored, path, interface), whom the signal says it is from."""
        _, path, interface = address
        message = new_signal(DBusAddress(path, interface=interface), member, signature, tuple(values))
        message.header.fields[HeaderFields.destination] = receiver
        self.connection.send(message)

    def refuse(self, call, error_name, text):
        self.connection.send(new_error(call, error_name, "s", (text,)))

    def watch(self, rule):
        """Subscribes to signals: they are in self.signals from now on."""
        self.call(("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"), "AddMatch", "s", rule)

    def wait_signal(self, accepts, what, seconds=60.0):
        """The first signal, seen already or to come, that accepts(path, interface, member, body) takes."""
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            while seen < len(self.signals):
                fields = self.signals[seen].header.fields
                body = plain(list(self.signals[seen].body))
                if accepts(fields[HeaderFields.path], fields[HeaderFields.interface], fields[HeaderFields.member], body):
                    return body
                seen += 1
            try:
                self._receive(deadline)
            except TimeoutError:
                raise AssertionError(f"no signal within {seconds} s: {what}") from None

    # The manager's methods.
    def start(self, name, seconds=60.0, **options):
        return self.call(self.MANAGER, "Start", "sa{sv}", name, options, seconds=seconds)

    def stop(self, name, seconds=60.0, **options):
        return self.call(self.MANAGER, "Stop", "sa{sv}", name, options, seconds=seconds)

    def restart(self, name, seconds=60.0, **options):
        return self.call(self.MANAGER, "Restart", "sa{sv}", name, options, seconds=seconds)

    def status(self, name):
        return plain(self.call(self.MANAGER, "Status", "s", name))

    def list(self):
        """{name: (path, state, health, interface)}"""
        return {row[0]: tuple(row[1:]) for row in self.call(self.MANAGER, "List")}

    def state(self, name):
        return self.list().get(name, (None, None))[1]

    def get(self, destination, path, interface, prop):
        return plain(self.call((destination, path, "org.freedesktop.DBus.Properties"), "Get", "ss", interface, prop))

    def get_all(self, destination, path, interface):
        return plain(self.call((destination, path, "org.freedesktop.DBus.Properties"), "GetAll", "s", interface))

    def owned_names(self):
        return self.call(("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"), "ListNames")
