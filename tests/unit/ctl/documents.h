// Documents as the daemon gives them, for the tests of what is made of them.
#pragma once

namespace vpntun::ctl {

inline constexpr const char* kDocument = R"json({
  "schema": "vpnctl.status/1",
  "tunnels": [
    {
      "name": "lab", "description": "SEED lab, Host U", "state": "running", "health": "failing",
      "reason": {"code": "no-reply", "text": "Packets go out, none come back (42 s)"},
      "interface": "tun0", "interface-index": 12, "kind": "tun", "encryption": "none",
      "addresses": ["192.168.53.99/24", "fd53::99/64"], "routes": ["192.168.60.0/24"],
      "dns-servers": ["192.168.60.53"], "dns-domains": ["corp.example", "~lab"], "listen-port": 41872,
      "mtu": 1472, "mtu-derivation": "1472 = 1500 (eth0) - 20 (IPv4) - 8 (UDP)", "netns": "u",
      "since-usec": 1000000000000000,
      "rx-bytes": 0, "tx-bytes": 9626, "rx-packets": 1, "tx-packets": 114,
      "drops": [{"reason": "source-not-allowed", "text": "inner source not in the peer's allowed-ips", "packets": 17,
                 "last": "192.168.1.20 -> 10.0.0.1 from 10.0.2.8:9090", "last-usec": 1000000003000000}],
      "findings": [{"code": "no-reply", "text": "Packets go out, none come back (42 s)"},
                   {"code": "route-refused", "text": "The route 10.0.0.0/8 was refused"}],
      "peers": [{"name": "server", "configured-endpoint": "10.0.2.8:9090", "endpoint": "10.0.2.8:9090",
                 "endpoint-source": "configured", "allowed-ips": ["192.168.53.0/24", "192.168.60.0/24"],
                 "health": "failing", "reason": {"code": "no-reply", "text": "silent for 42 s"},
                 "rx-bytes": 0, "tx-bytes": 9626, "rx-packets": 1, "tx-packets": 114,
                 "last-received-usec": 0, "last-sent-usec": 1000000009000000}],
      "profile-path": "/etc/vpntund/lab.toml", "profile-stale": true, "profile-valid": true,
      "unit": "vpntund@lab.service", "pid": 2114, "forwarding": true, "masquerade": false
    },
    {"name": "lab-server", "description": "", "state": "running", "health": "healthy",
     "reason": {"code": "", "text": ""}, "interface": "tun1", "kind": "tun", "encryption": "none",
     "addresses": ["192.168.53.98/24"], "rx-bytes": 1288490189, "tx-bytes": 88080384,
     "peers": [{"name": "u", "endpoint": "10.0.2.7:41872", "endpoint-source": "learned", "health": "healthy",
                "last-received-usec": 1000000009000000},
               {"name": "w", "endpoint": "", "health": "unknown", "last-received-usec": 0}]},
    {"name": "office", "state": "failed", "health": "unknown",
     "reason": {"code": "address-in-use", "text": "UDP port 9090 is taken"}, "profile-valid": true,
     "profile-path": "/etc/vpntund/office.toml", "unit": "vpntund@office.service"},
    {"name": "l2", "state": "stopped", "health": "unknown", "profile-path": "/etc/vpntund/l2.toml",
     "profile-valid": false}
  ]
})json";

inline constexpr unsigned long long kNowUsec = 1000000010000000;

}  // namespace vpntun::ctl
