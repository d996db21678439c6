// /org/vpntun1/session of a session process: org.vpntun1.Session. Owns the Peer objects. Thread:
// control.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bus/authority.h"
#include "bus/connection.h"
#include "bus/peer_objects.h"
#include "bus/readiness.h"
#include "bus/status_codec.h"
#include "bus/status_source.h"
#include "dbus/glue/session_adaptor.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

class SessionObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Session_adaptor> {
 public:
  // Reads the profile again and applies it; throws Error.
  using Reloader = std::function<session::ReloadResult()>;

  SessionObject(Connection& connection, Authority& authority, StatusSource& status,
                const Readiness& readiness, Reloader reload);
  ~SessionObject();

  // Emits PropertiesChanged for what differs since the last call, of the session and its peers; the
  // objects of peers come and go.
  void session_changed();

 private:
  void Status(sdbus::Result<Dictionary>&& result) override;
  void Reload(sdbus::Result<Dictionary>&& result, Dictionary options) override;
  std::string Name() override;
  std::string ProfilePath() override;
  std::uint64_t ProfileTimeUSec() override { return status_.now().profile_time_usec; }
  std::uint32_t MainPID() override { return status_.now().pid; }
  std::uint64_t SinceUSec() override { return status_.now().since_usec; }
  std::string Interface() override;
  std::uint32_t InterfaceIndex() override { return status_.now().interface_index; }
  std::string NetworkNamespace() override;
  std::string Kind() override;
  std::string Encryption() override;
  std::vector<std::string> Addresses() override { return status_.now().addresses; }
  std::vector<std::string> Routes() override { return status_.now().routes; }
  std::vector<std::string> DNSServers() override { return status_.now().dns_servers; }
  std::vector<std::string> DNSDomains() override { return status_.now().dns_domains; }
  std::string PublicKey() override { return status_.now().public_key; }
  bool Ready() override { return readiness_.ready(); }
  std::uint16_t ListenPort() override { return status_.now().listen_port; }
  std::uint32_t Workers() override { return status_.now().workers; }
  std::uint32_t MTU() override { return status_.now().mtu; }
  std::string MTUDerivation() override;
  std::map<std::string, bool> Offloads() override;
  std::vector<sdbus::ObjectPath> Peers() override;
  std::string Health() override;
  std::string ReasonCode() override { return status_.now().reason.code; }
  std::string ReasonText() override;
  std::uint64_t RxBytes() override { return status_.now().traffic.rx_bytes; }
  std::uint64_t TxBytes() override { return status_.now().traffic.tx_bytes; }
  std::uint64_t RxPackets() override { return status_.now().traffic.rx_packets; }
  std::uint64_t TxPackets() override { return status_.now().traffic.tx_packets; }
  std::map<std::string, std::uint64_t> Drops() override;

  // What PropertiesChanged is about.
  struct Shown {
    std::string profile_path;
    std::uint64_t profile_time_usec = 0;
    std::vector<std::string> addresses;
    std::vector<std::string> routes;
    std::vector<std::string> dns_servers;
    std::vector<std::string> dns_domains;
    std::string public_key;
    bool ready = false;
    std::uint32_t mtu = 0;
    std::string mtu_derivation;
    std::vector<std::string> peers;
    vpntun::Health health = vpntun::Health::kUnknown;
    Reason reason;
    packet::OffloadStates offloads;
  };
  Shown shown();
  void if_allowed(std::string_view method, sdbus::Result<Dictionary>&& result,
                  std::function<Dictionary()> answer);

  Authority& authority_;
  StatusSource& status_;
  const Readiness& readiness_;
  Reloader reload_;
  Shown shown_;
  PeerObjects peers_;
};

}  // namespace vpntun::bus
