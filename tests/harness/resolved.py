"""A systemd-resolved that only remembers what it is told."""
import queue
import threading

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.resolve1"
BUS = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")


class FakeResolved:
    """Owns the name on a bus while the context lasts. refusals: {method: (error name, text)}, may change meanwhile."""

    def __init__(self, address, refusals=None, silent=False):
        self.address = address
        self.refusals = {} if refusals is None else refusals
        self.silent = silent
        self.calls = []  # (method, arguments)
        self.ended = threading.Event()
        self.started = queue.Queue()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.started.get(timeout=60) == 1, "another one owns the name"
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(60)

    def serve(self):
        connection = open_dbus_connection(self.address)
        request = new_method_call(BUS, "RequestName", "su", (NAME, 4))
        self.started.put(connection.send_and_get_reply(request).body[0])
        while not self.ended.is_set():
            try:
                message = connection.receive(timeout=0.1)
            except TimeoutError:
                continue
            if message.header.message_type == MessageType.method_call:
                self.answer(connection, message)
        connection.close()

    def answer(self, connection, message):
        method = message.header.fields[HeaderFields.member]
        self.calls.append((method, message.body))
        if self.silent or message.header.flags.value & 1:  # no reply expected
            return
        if method in self.refusals:
            name, text = self.refusals[method]
            connection.send(new_error(message, name, "s", (text,)))
        else:
            connection.send(new_method_return(message))

    def told(self, method):
        """The arguments of the last call of that method, or None."""
        return next((arguments for called, arguments in reversed(self.calls) if called == method), None)
