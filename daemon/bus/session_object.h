// /org/vpntun1/session of a session process: org.vpntun1.Session. Owns the Peer objects. Thread:
// control.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "bus/peer_object.h"
#include "bus/status_codec.h"
#include "bus/status_source.h"
#include "dbus/glue/session_adaptor.h"

namespace vpntun::bus {

class SessionObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Session_adaptor> {
 public:
  SessionObject(Connection& connection, StatusSource& status);
  ~SessionObject();

  // Emits PropertiesChanged for what differs since the last call, of the session and its peers.
  void session_changed();

 private:
  Dictionary Status() override;
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
  std::uint16_t ListenPort() override { return status_.now().listen_port; }
  std::uint32_t MTU() override { return status_.now().mtu; }
  std::string MTUDerivation() override;
  std::vector<sdbus::ObjectPath> Peers() override;
  std::string Health() override;
  std::string ReasonCode() override { return status_.now().reason.code; }
  std::string ReasonText() override;
  std::uint64_t RxBytes() override { return status_.now().traffic.rx_bytes; }
  std::uint64_t TxBytes() override { return status_.now().traffic.tx_bytes; }
  std::uint64_t RxPackets() override { return status_.now().traffic.rx_packets; }
  std::uint64_t TxPackets() override { return status_.now().traffic.tx_packets; }
  std::map<std::string, std::uint64_t> Drops() override;

  StatusSource& status_;
  vpntun::Health shown_health_;
  Reason shown_reason_;
  std::vector<std::unique_ptr<PeerObject>> peers_;
};

}  // namespace vpntun::bus
