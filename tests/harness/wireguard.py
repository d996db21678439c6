"""Keys of WireGuard, and wireguard-go with wg(8) as the other end of a tunnel."""
import contextlib
import os
import socket

from .host import run
from .network import process
from .waiting import wait_for

# Debian's package, or another build of it: see newest-wireguard-go.
PROGRAM = os.environ.get("VPNTUN_WIREGUARD_GO", "wireguard-go")


class Keys:
    """A key pair, as text."""

    def __init__(self):
        self.private = run("wg", "genkey").strip()
        self.public = run("wg", "pubkey", input=self.private).strip()


def preshared_key():
    return run("wg", "genpsk").strip()


class WireguardGo:
    """An interface of wireguard-go in a namespace, gone when the context ends."""

    def __init__(self, name, netns, keys, address, port=None, program=PROGRAM):
        self.name, self.netns, self.keys, self.address, self.port = name, netns, keys, address, port
        self.program = program
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        environment = dict(os.environ, WG_PROCESS_FOREGROUND="1")
        self.process = self.stack.enter_context(
            process(self.program, "-f", self.name, netns=self.netns, env=environment))
        wait_for(self._listens, "wireguard-go listens to wg(8)")
        self.wg("private-key", "/dev/stdin", input=self.keys.private)
        if self.port:
            self.wg("listen-port", str(self.port))
        for address in self.address:
            run("ip", "address", "add", address, "dev", self.name, netns=self.netns)
        run("ip", "link", "set", self.name, "up", "mtu", "1420", netns=self.netns)

    def _listens(self):
        """The file is there some moments before anybody is accepted; that of a process that ended stays."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(f"/var/run/wireguard/{self.name}.sock") == 0

    def restart(self):
        """Another process that knows nothing of the sessions before; its peers have to be added again."""
        self.stack.close()
        self.start()

    def wg(self, *arguments, **options):
        run("wg", "set", self.name, *arguments, netns=self.netns, **options)

    def peer(self, public_key, *allowed_ips, endpoint=None, preshared=None, keepalive=None):
        arguments = ["peer", public_key, "allowed-ips", ",".join(allowed_ips)]
        if endpoint:
            arguments += ["endpoint", endpoint]
        if keepalive:
            arguments += ["persistent-keepalive", str(keepalive)]
        if preshared:
            arguments += ["preshared-key", "/dev/stdin"]
        self.wg(*arguments, input=preshared or "")
        for prefix in allowed_ips:
            run("ip", "route", "replace", prefix, "dev", self.name, netns=self.netns)

    def show(self, what):
        """{public key: [fields]} of `wg show NAME WHAT`."""
        lines = run("wg", "show", self.name, what, netns=self.netns).splitlines()
        return {line.split()[0]: line.split()[1:] for line in lines}
