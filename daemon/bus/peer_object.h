// /org/vpntun1/session/peer/PEER of a session process: org.vpntun1.Peer. Owned by SessionObject.
// Thread: control.
#pragma once

#include <string>
#include <vector>

#include "bus/connection.h"
#include "bus/status_source.h"
#include "dbus/glue/peer_adaptor.h"
#include "dbus/sdbus.h"

namespace vpntun::bus {

class PeerObject final : public sdbus::AdaptorInterfaces<org::vpntun1::Peer_adaptor> {
 public:
  // index: of the peer in the status.
  PeerObject(Connection& connection, StatusSource& status, std::size_t index);
  ~PeerObject();

  // Emits PropertiesChanged for what differs since the last call; the index may be another one.
  void peer_changed(std::size_t index);

 private:
  const session::PeerStatus& now() { return status_.now().peers.at(index_); }

  std::string Name() override;
  std::string ConfiguredEndpoint() override;
  std::vector<std::string> AllowedIPs() override;
  std::string Endpoint() override;
  std::string EndpointSource() override;
  std::string PublicKey() override { return now().public_key; }
  bool HasPresharedKey() override { return now().has_preshared_key; }
  std::uint16_t PersistentKeepalive() override { return now().persistent_keepalive; }
  std::string State() override { return std::string(state_word(now())); }
  std::uint64_t LatestHandshakeUSec() override { return now().latest_handshake_usec; }
  std::uint32_t HandshakeAttempts() override { return now().handshake_attempts; }
  std::string Health() override;
  std::string ReasonCode() override { return now().reason.code; }
  std::string ReasonText() override;
  std::uint64_t RxBytes() override { return now().traffic.rx_bytes; }
  std::uint64_t TxBytes() override { return now().traffic.tx_bytes; }
  std::uint64_t RxPackets() override { return now().traffic.rx_packets; }
  std::uint64_t TxPackets() override { return now().traffic.tx_packets; }
  std::uint64_t LastReceivedUSec() override { return now().last_received_usec; }

  StatusSource& status_;
  std::size_t index_;
  session::PeerStatus shown_;
};

}  // namespace vpntun::bus
