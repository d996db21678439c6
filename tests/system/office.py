"""The tunnel office, encrypted, between two machines on an internet; what the tests of encrypted tunnels share."""
from harness.network import pings
from harness.profile import peer, profile
from harness.wireguard import Keys
from internet import SERVER
from machine import unit_of

UNIT = unit_of("office")
KEY = "/etc/vpntund/office.key"
SERVER_INNER, LAPTOP_INNER = "10.8.0.1", "10.8.0.2"


class Office:
    """The tunnel office on both machines; the server learns where the laptop is."""

    def __init__(self, internet):
        self.internet = internet
        self.server, self.laptop = internet.machines
        self.keys = {machine.name: Keys() for machine in internet.machines}
        self.put_profiles()

    def put_profiles(self):
        for machine in self.internet.machines:
            machine.write_file(KEY, self.keys[machine.name].private + "\n", 0o640, "root:vpntun")
        self.server.profile("office", self.of_server())
        self.laptop.profile("office", self.of_laptop())

    def of_server(self, **changes):
        laptop = peer("laptop", f"{LAPTOP_INNER}/32", public_key=self.keys["laptop"].public)
        return profile(**{"name": "office0", "encryption": "wireguard", "private_key": KEY, "address": f"{SERVER_INNER}/24",
                          "listen_port": 51820, "control_socket": True, "peers": [laptop], **changes})

    def of_laptop(self, allowed=("10.8.0.0/24",), endpoint=SERVER, **changes):
        server = peer("server", *allowed, endpoint=f"{endpoint}:51820", persistent_keepalive=25,
                      public_key=self.keys["server"].public)
        return profile(**{"name": "office0", "encryption": "wireguard", "private_key": KEY, "address": f"{LAPTOP_INNER}/24",
                          "control_socket": True, "peers": [server], **changes})

    def start(self):
        for machine in self.internet.machines:
            machine.systemctl("start", UNIT)
        pings("laptop", SERVER_INNER)
