"""vpnctl's surroundings: a bus of its own with the fake daemon on it."""
import json
import os
import subprocess
import sys

VPNCTL = os.environ["VPNCTL"]
HERE = os.path.dirname(os.path.abspath(__file__))

TUNNELS = [
    {"name": "lab", "state": "running", "health": "healthy", "interface": "tun0", "encryption": "none",
     "addresses": ["192.168.53.99/24"], "rx-bytes": 1000, "tx-bytes": 2000},
    {"name": "lab-server", "state": "stopped", "health": "unknown"},
    {"name": "sick", "state": "running", "health": "failing", "reason": {"code": "no-reply", "text": "silence"}},
    {"name": "l2", "state": "running", "health": "unknown", "kind": "tap"},
    {"name": "taken", "state": "stopped"}, {"name": "denied", "state": "stopped"},
    {"name": "invalid", "state": "stopped"}, {"name": "slow", "state": "stopped"}, {"name": "hostile", "state": "stopped"},
]


class World:
    """A bus with the fake daemon on it, and a folder for what they exchange."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address=1",
                                     f"--address=unix:dir={folder}"], stdout=subprocess.PIPE, text=True)
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.stdout.readline().strip(), TERM="xterm",
                        PATH=os.path.dirname(VPNCTL) + ":" + os.environ["PATH"])
        self.env.pop("NO_COLOR", None)
        self.daemon = None
        self.document(TUNNELS)

    def document(self, tunnels):
        path = os.path.join(self.folder, "document.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"schema": "vpnctl.status/1", "tunnels": tunnels}, file)
        os.rename(path + ".new", path)

    def start_daemon(self):
        self.daemon = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "fake_daemon.py"),
                                        self.env["DBUS_SYSTEM_BUS_ADDRESS"], self.folder],
                                       stdout=subprocess.PIPE, text=True)
        assert self.daemon.stdout.readline() == "ready\n"

    def run(self, *arguments, **options):
        return subprocess.run([VPNCTL, *arguments], env=self.env, capture_output=True, timeout=60,
                              text=options.pop("text", True), check=False, **options)

    def close(self):
        for child in (self.daemon, self.bus):
            if child:
                child.kill()
                child.wait()
