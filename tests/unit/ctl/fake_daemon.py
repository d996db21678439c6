"""A manager and one session on a private bus, as vpnctl sees them: answers from a table, counts what it was asked.

Run as a program: fake_daemon.py BUS_ADDRESS FOLDER. Prints "ready" when both names are owned. FOLDER/document.json is
what Describe() says; FOLDER/capture.pcapng what Capture() streams; Inject() writes what it got to FOLDER/injected.
"""
import fcntl
import json
import os
import sys

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

# What Start() says for some tunnels.
ERRORS = {
    "taken": ("org.vpntun1.Error.AddressInUse", "UDP port 9090 is taken"),
    "denied": ("org.freedesktop.DBus.Error.AccessDenied", "not authorised"),
    "invalid": ("org.vpntun1.Error.InvalidProfile", "the profile has 1 error"),
    "hostile": ("org.vpntun1.Error.Failed", "\x1b[2Jcleared\nvpnctl: all is well"),
}
SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK


def label(name):
    """A name as one element of an object path, as sd_bus_path_encode(3) does it."""
    return "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in name)


class Answer(Exception):
    """An error reply."""


class FakeDaemon:
    def __init__(self, folder):
        self.folder = folder

    def names(self):
        with open(os.path.join(self.folder, "document.json"), encoding="utf-8") as file:
            return [tunnel["name"] for tunnel in json.load(file)["tunnels"]]

    def start(self, name):
        if name in ERRORS:
            raise Answer(*ERRORS[name])
        with open(os.path.join(self.folder, "calls"), "a", encoding="utf-8") as file:
            file.write(f"{name}\n")

    def reply(self, member, body, path):
        """(signature, values) for a call; values None: never answered. Raises Answer."""
        if member == "List":
            return "a(sosss)", ([(n, f"/org/vpntun1/tunnel/{label(n)}", "running", "healthy", "tun0")
                                 for n in self.names()],)
        if member == "Describe":
            with open(os.path.join(self.folder, "document.json"), encoding="utf-8") as file:
                return "s", (file.read(),)
        if member == "Start" and body[0] == "slow":
            return None, None
        if member in ("Start", "Restart"):
            self.start(body[0])
            return "o", (f"/org/vpntun1/tunnel/{label(body[0])}",)
        if member == "Reload":
            self.start(body[0])
            return "a{sv}", ({"applied": ("as", ["interface.mtu", "peer[new]"]), "needs-restart": ("as", ["interface.name"]),
                              "unchanged": ("b", False)},)
        if member == "Stop":
            return "", ()
        if member == "Get":
            tunnel = path.rsplit("/", 1)[-1]
            return "v", ({"Version": ("s", "9.9"), "SessionBusName": ("s", f"org.vpntun1.session.{tunnel}"),
                          "Kind": ("s", "tap" if tunnel == "l2" else "tun")}[body[1]],)
        if member in ("Capture", "CaptureWithSecrets"):
            with open(os.path.join(self.folder, "captures"), "a", encoding="utf-8") as file:
                file.write(f"{member}\n")
            return "h", (self.stream(),)
        if member == "Inject":
            self.take(body[0])
            return "", ()
        raise Answer("org.freedesktop.DBus.Error.UnknownMethod", member)

    def stream(self):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            with open(os.path.join(self.folder, "capture.pcapng"), "rb") as file, open(writer, "wb") as pipe:
                pipe.write(file.read())
            os._exit(0)
        os.close(writer)
        return reader

    def take(self, packet):
        fd = packet.to_raw_fd()
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
            raise Answer("org.freedesktop.DBus.Error.InvalidArgs", "not sealed")
        with open(os.path.join(self.folder, "injected"), "wb") as file:
            file.write(os.pread(fd, 65536, 0))
        os.close(fd)


def main(address, folder):
    connection = open_dbus_connection(address, enable_fds=True)
    for name in ("org.vpntun1", "org.vpntun1.session.lab", "org.vpntun1.session.l2"):
        connection.send_and_get_reply(message_bus.RequestName(name))
    print("ready", flush=True)
    daemon = FakeDaemon(folder)
    while True:
        message = connection.receive()
        if message.header.message_type is not MessageType.method_call:
            continue
        fields = message.header.fields
        try:
            signature, values = daemon.reply(fields[HeaderFields.member], message.body, fields[HeaderFields.path])
            if values is not None:
                connection.send(new_method_return(message, signature, values))
        except Answer as answer:
            connection.send(new_error(message, answer.args[0], "s", (answer.args[1],)))


if __name__ == "__main__":
    main(*sys.argv[1:])
