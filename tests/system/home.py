"""The tunnel home, for tests that need one machine and no peer: what several files, and the fixture `home`, share."""
from harness.profile import peer, profile
from machine import unit_of

HOME = profile(name="home0", address="192.168.53.99/24",
               peers=[peer("server", "192.168.53.0/24", "192.168.60.0/24", endpoint="10.0.2.8:9090")])
UNIT = unit_of("home")
