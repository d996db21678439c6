#include "sim/station.h"

#include <algorithm>

namespace vpntun::wg::sim {
namespace {

crypto::SecretKey draw_key(Chance& chance) {
  std::array<std::uint8_t, crypto::kKeySize> bytes{};
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(chance());
  return crypto::SecretKey(bytes);
}

}  // namespace

Station::Station(unsigned number, Chance& chance, Wire& wire, Ledger& ledger)
    : number_(number),
      chance_(chance),
      wire_(wire),
      ledger_(ledger),
      key_(draw_key(chance)),
      public_key_(crypto::public_key_of(key_)),
      address_{IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(number)), 51820, 0} {
  make_device();
}

void Station::make_device() {
  device_ = std::make_unique<Device>(Surroundings{
      .random =
          [this](MutableBytes out) {
            for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(chance_());
          },
      .wall_clock =
          [this] {
            return std::chrono::hours(24 * 20'000) + now_.time_since_epoch() + clock_ahead_;
          }});
}

void Station::restart(Instant now) {
  now_ = now;
  make_device();
  device_->set_private_key(key_, now);
  for (auto& [number, known] : peers_) {
    known.id = device_->add({.public_key = known.station->public_key_, .preshared_key = {}}, now);
    known.endpoint = known.configured;
    known.held.clear();
  }
  ledger_.restarted(number_);
}

void Station::know(Station& peer, std::optional<Endpoint> configured, Instant now) {
  device_->set_private_key(key_, now);
  Known& known = peers_[peer.number_];
  known.station = &peer;
  known.configured = configured;
  known.endpoint = configured;
  known.id = device_->add({.public_key = peer.public_key_, .preshared_key = {}}, now);
}

void Station::revive(Instant now) {
  now_ = now;
  for (const auto& [number, known] : peers_) device_->revive(known.id, now);
  run(now);
}

Station::Known& Station::by_id(PeerId id) {
  const auto found =
      std::ranges::find_if(peers_, [id](const auto& entry) { return entry.second.id == id; });
  require(found != peers_.end(), "every message is a peer's");
  return found->second;
}

void Station::say(Station& to, bool must_arrive, Instant now) {
  now_ = now;
  Known& known = peers_.at(to.number_);
  const Datagram payload = ledger_.write(number_, to.number_, must_arrive);
  if (!known.held.empty() || !seal(known, payload, now)) {
    known.held.push_back(payload);
    if (known.held.size() > kMostHeld) known.held.pop_front();
    device_->wish_handshake(known.id, now);
  }
  run(now);
}

bool Station::seal(Known& to, const Datagram& payload, Instant now) {
  Datagram room(kDataOverhead + kPadding + payload.size());
  std::ranges::copy(payload, room.begin() + kDataHeaderSize);
  auto sealing =
      device_->seal(to.id, MutableBytes(room).subspan(kDataHeaderSize, payload.size()), 1420, now);
  if (!sealing) return false;
  sealing->finish();
  require(device_->status(to.id, now).session_expires > now, "no expired session is sent with");
  sent(to, sealing->datagram(), now);
  return true;
}

void Station::sent(const Known& to, Bytes datagram, Instant now) {
  const unsigned peer = to.station->number_;
  switch (type_of(datagram).value()) {
    case MessageType::kInitiation:
      ledger_.initiated(number_, peer, now);
      break;
    case MessageType::kResponse: {
      const Response response = read_response(datagram);
      ledger_.answered(number_, response.sender, peer, response.receiver);
      break;
    }
    case MessageType::kData: {
      const std::uint32_t index = read_data_header(datagram).receiver;
      ledger_.session_used(peer, index, now);
      ledger_.data_sent(peer, index);
      break;
    }
    case MessageType::kCookieReply:
      break;
  }
  if (to.endpoint) wire_.send(address_, *to.endpoint, datagram, now);
}

void Station::arrive(const Passage& passage, Instant now) {
  now_ = now;
  Datagram datagram = passage.datagram;
  const auto type = type_of(datagram);
  const std::uint32_t index = type == MessageType::kData ? read_data_header(datagram).receiver : 0;
  const Arrival arrival = device_->receive(datagram, passage.from, now);
  if (arrival.kind == Arrival::Kind::kRefused) {
    ++refused_;
  } else {
    Known& from = by_id(arrival.peer);
    const bool handshake = arrival.kind == Arrival::Kind::kHandshake;
    require(passage.intact || handshake, "nothing that was damaged is taken");  // or only its mac2
    if (arrival.moves_peer()) from.endpoint = passage.from;
    if (arrival.kind == Arrival::Kind::kData || arrival.kind == Arrival::Kind::kKeepalive) {
      ledger_.session_used(number_, index, now);
      ledger_.data_taken(number_, index);
    }
    if (arrival.kind == Arrival::Kind::kData)
      ledger_.arrived(from.station->number_, number_, arrival.payload);
  }
  run(now);
}

void Station::run(Instant now) {
  now_ = now;
  ++looks_;
  events(now);
  for (unsigned messages = 0; const auto transmit = device_->poll_transmit(now); ++messages) {
    require(messages <= 2 * peers_.size() + 2, "a device has little to say at once");
    if (transmit->answer) {
      wire_.send(address_, transmit->answer->remote, transmit->datagram(), now);
    } else {
      sent(by_id(transmit->peer), transmit->datagram(), now);
    }
  }
  events(now);
  require(device_->next_deadline() > now, "who was looked at has nothing left to do");
}

void Station::events(Instant now) {
  while (const auto event = device_->poll_event()) {
    Known& known = by_id(event->peer);
    if (event->kind == EventKind::kHandshakeGivenUp) known.held.clear();
    if (event->kind != EventKind::kKeypairReady) continue;
    ++handshakes_;
    for (; !known.held.empty() && seal(known, known.held.front(), now);) known.held.pop_front();
  }
}

}  // namespace vpntun::wg::sim
