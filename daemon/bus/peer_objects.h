// /org/vpntun1/session/peer/PEER of a session process, for every peer: org.vpntun1.Peer. One
// registration answers for all of them, because an object of sdbus-c++ takes tens of kilobytes and
// there may be thousands of peers. Owned by SessionObject. Thread: control.
#pragma once

#include <systemd/sd-bus.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/connection.h"
#include "bus/status_source.h"

namespace vpntun::bus {

class PeerObjects {
 public:
  // Throws Error kFailed.
  PeerObjects(Connection& connection, StatusSource& status);
  // libsystemd calls back into this object.
  PeerObjects(const PeerObjects&) = delete;
  PeerObjects& operator=(const PeerObjects&) = delete;

  // Peers may have come and gone. Emits PropertiesChanged for what differs since the last call.
  void session_changed();

 private:
  // What was told of a peer: of each property a hash, for there may be thousands of peers.
  using Shown = std::array<std::size_t, 10>;
  struct Known {
    std::size_t index = 0;    // in the status
    std::uint64_t round = 0;  // of session_changed() that saw it last
    Shown shown{};
  };
  struct SlotEnd {
    void operator()(sd_bus_slot* slot) const noexcept { ::sd_bus_slot_unref(slot); }
  };
  using Slot = std::unique_ptr<sd_bus_slot, SlotEnd>;

  static int find(sd_bus* bus, const char* path, const char* interface, void* objects, void** found,
                  sd_bus_error* error) noexcept;
  static int list(sd_bus* bus, const char* prefix, void* objects, char*** paths,
                  sd_bus_error* error) noexcept;
  static Shown shown_of(const session::PeerStatus& peer);
  static std::vector<const char*> changes(const Shown& before, const Shown& now);
  const session::PeerStatus* peer_at(std::string_view path);

  sd_bus* bus_;  // lives as long as the connection
  StatusSource& status_;
  std::map<std::string, Known> known_;  // by name
  std::uint64_t round_ = 0;
  Slot objects_;
  Slot names_;
};

}  // namespace vpntun::bus
