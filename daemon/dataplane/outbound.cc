#include "dataplane/outbound.h"

#include <algorithm>

#include "dataplane/oversize.h"
#include "packet/ethernet.h"
#include "packet/icmp.h"
#include "packet/ip_view.h"

namespace vpntun::dataplane {

using packet::Direction;
using packet::SendVerdict;

DropReason reason_of_unsent(SendVerdict verdict) noexcept {
  switch (verdict) {
    case SendVerdict::kTooBig:
      return DropReason::kTooBig;
    case SendVerdict::kWouldBlock:
    case SendVerdict::kQueueFull:
      return DropReason::kQueueFull;
    case SendVerdict::kSent:
    case SendVerdict::kRefused:
      break;
  }
  return DropReason::kSendRefused;
}

Outbound::Outbound(Tables& tables, Transport& transport, packet::InsidePort& inside,
                   packet::OutsidePort& outside)
    : tables_(tables), transport_(transport), inside_(inside), outside_(outside) {
  sealings_.reserve(2 * packet::kBatchSize);
}

Outbound::Result Outbound::run(std::size_t budget) noexcept {
  using packet::Reading;
  Reading reading = Reading::kMore;
  for (;;) {
    while (next_ < in_.size() || !out_.empty()) {
      fill();
      if (!flush()) return Result::kBlocked;
    }
    if (reading == Reading::kDrained) return Result::kIdle;
    if (reading == Reading::kGone) return Result::kGone;
    if (budget == 0) return Result::kMore;
    in_.clear();
    next_ = 0;
    reading = inside_.receive(in_);
    budget -= std::min(budget, std::max<std::size_t>(in_.size(), 1));
  }
}

// Routes packets of in_ until it is done or out_ is full.
void Outbound::fill() noexcept {
  const Hold hold(tables_.mutex);
  while (next_ < in_.size() && !out_.full()) {
    packet::Packet& packet = in_[next_];
    if (!tables_.frames)
      route_packet(packet);
    else if (!route_frame(packet))
      return;
    ++next_;
  }
}

void Outbound::route_packet(packet::Packet& packet) noexcept {
  const auto ip = packet::IpView::parse(packet.bytes);
  if (!ip) return refuse(DropReason::kMalformed, packet);
  const bool v4 = ip->is_v4();
  const PeerIndex peer =
      tables_.peers.allowed_ips().lookup(packet.bytes.subspan(v4 ? 16 : 24, v4 ? 4 : 16));
  if (peer == kNoPeer) return refuse(DropReason::kUnknownDestination, packet);
  emit(packet, peer);
}

// False: out_ is full, go on with this frame later.
bool Outbound::route_frame(packet::Packet& frame) noexcept {
  const auto view = packet::EthernetView::parse(frame.bytes);
  if (!view) {
    refuse(DropReason::kMalformed, frame);
    return true;
  }
  tables_.macs.learn(view->source(), kInside, tables_.now);
  const MacAddress destination = view->destination();
  const PeerIndex place =
      destination.is_multicast() ? kNoPeer : tables_.macs.find(destination, tables_.now);
  if (place == kNoPeer || next_copy_ != 0) return flood(frame);
  if (place == kInside)
    refuse(DropReason::kLoop, frame);
  else
    emit(frame, place);
  return true;
}

// To every peer that has an endpoint.
bool Outbound::flood(packet::Packet& frame) noexcept {
  if (next_copy_ == 0) {
    copied_ = false;
    frame.pair = tables_.captures.next_pair();
  }
  for (; next_copy_ < tables_.peers.size(); ++next_copy_) {
    if (!tables_.peers[next_copy_].endpoint) continue;
    if (out_.full()) return false;
    if (!copied_)
      tables_.captures.inner(frame.bytes, Direction::kOut,
                             {.pair = frame.pair, .remark = "flooded"});
    copied_ = true;
    packet::Packet copy = frame;
    copy.peer = next_copy_;
    if (transport_.rewrites()) {
      forward(copy);
      continue;
    }
    const Outcome outcome = transport_.seal(copy, sealings_);
    if (outcome.is_dropped())
      drop(outcome.reason(), copy);
    else
      out_.append_view(copy);
  }
  flush_forwards();
  next_copy_ = 0;
  if (!copied_) refuse(DropReason::kNoEndpoint, frame);
  return true;
}

// To one peer. Requires !out_.full().
void Outbound::emit(packet::Packet& packet, PeerIndex peer) noexcept {
  packet.peer = peer;
  const std::span inner = packet.bytes;  // not encrypted yet
  const Outcome outcome = transport_.seal(packet, sealings_);
  if (outcome.is_dropped()) return refuse(outcome.reason(), packet);
  if (!outcome.is_passed()) return;
  packet.pair = tables_.captures.next_pair();
  tables_.captures.inner(inner, Direction::kOut,
                         {.pair = packet.pair, .peer = tables_.peers[peer].name});
  out_.append_view(packet);
}

// Sends out_. False: the outside is full, and out_ holds what it did not take.
bool Outbound::flush() noexcept {
  if (out_.empty()) return true;
  finish_sealings();
  outside_.send(out_);
  const Hold hold(tables_.mutex);
  bool blocked = false;
  for (packet::Packet& packet : out_.packets()) {
    if (packet.verdict == SendVerdict::kWouldBlock)
      blocked = true;
    else if (packet.verdict == SendVerdict::kTooBig && !transport_.rewrites())
      settle_oversize(packet);
    else
      settle(packet);
  }
  send_pieces();
  send_answers();
  out_.keep_if(
      [](const packet::Packet& packet) { return packet.verdict == SendVerdict::kWouldBlock; });
  return !blocked;
}

void Outbound::finish_sealings() noexcept {
  for (wg::Sealing& sealing : sealings_) sealing.finish();
  sealings_.clear();
}

// A packet that is not tried again: counted as sent, or dropped.
void Outbound::settle(const packet::Packet& packet) noexcept {
  if (packet.verdict != SendVerdict::kSent) return drop(reason_of_unsent(packet.verdict), packet);
  tables_.count_tx(packet, true);
  tables_.captures.outer(packet, Direction::kOut,
                         {.pair = packet.pair, .peer = tables_.peers[packet.peer].name});
}

void Outbound::settle_oversize(const packet::Packet& packet) noexcept {
  const Oversize oversize(packet.bytes, tables_.frames, packet.path_mtu, packet.remote);
  if (oversize.must_pass() && !packet.may_be_cut) {
    if (pieces_.full()) send_pieces();
    pieces_.append_view(packet).may_be_cut = true;
    return;
  }
  auto fragments = oversize.fragments();
  if (!fragments) {
    drop(DropReason::kTooBig, packet);
    if (!answers_.fits(packet::kMaxTooBigFrame)) send_answers();
    const std::size_t length = oversize.answer(answers_.room());
    if (length != 0) answers_.append(length);
    return;
  }
  while (const auto piece = fragments->next()) {
    if (!pieces_.fits(packet.bytes.size())) send_pieces();
    const std::size_t length = oversize.write(*piece, pieces_.room());
    packet::Packet& fragment = pieces_.append(length);
    fragment.remote = packet.remote;
    fragment.local = packet.local;
    fragment.peer = packet.peer;
    fragment.pair = packet.pair;
  }
}

void Outbound::send_pieces() noexcept {
  if (pieces_.empty()) return;
  outside_.send(pieces_);
  for (const packet::Packet& packet : pieces_.packets()) settle(packet);
  pieces_.clear();
}

void Outbound::send_answers() noexcept {
  if (answers_.empty()) return;
  inside_.send(answers_);
  for (const packet::Packet& answer : answers_.packets())
    tables_.captures.inner(answer.bytes, Direction::kIn, {.remark = "answer to a packet too big"});
  answers_.clear();
}

void Outbound::follow(std::span<const PeerIndex> places) noexcept {
  for (const packet::Packet& packet : out_.packets())
    if (places[packet.peer] == kNoPeer) drop(DropReason::kQueueFull, packet);
  out_.keep_if([&](const packet::Packet& packet) { return places[packet.peer] != kNoPeer; });
  for (packet::Packet& packet : out_.packets()) packet.peer = places[packet.peer];
  next_copy_ = 0;  // a frame half flooded is flooded once more
}

void Outbound::forward(const packet::Packet& packet) noexcept {
  if (!forwards_.fits(packet.bytes.size())) flush_forwards();
  packet::Packet& copy =
      transport_.rewrites() ? forwards_.append_copy(packet) : forwards_.append_view(packet);
  const Outcome outcome = transport_.seal(copy, sealings_);
  if (outcome.is_dropped()) refuse(outcome.reason(), copy);
  if (!outcome.is_passed()) forwards_.drop_last();
}

void Outbound::send_staged(PeerIndex peer, const Staging::Packets& packets) noexcept {
  for (const std::vector<std::uint8_t>& bytes : packets) {
    if (!forwards_.fits(bytes.size())) flush_forwards();
    packet::Packet& packet = forwards_.append_copy(bytes);
    packet.peer = peer;
    const Outcome outcome = transport_.seal(packet, sealings_);
    if (outcome.is_dropped()) refuse(outcome.reason(), packet);
    if (!outcome.is_passed()) {
      forwards_.drop_last();
      continue;
    }
    packet.pair = tables_.captures.next_pair();
    tables_.captures.inner(bytes, Direction::kOut,
                           {.pair = packet.pair, .peer = tables_.peers[peer].name});
  }
  flush_forwards();
}

void Outbound::flush_forwards() noexcept {
  finish_sealings();
  if (!forwards_.empty()) outside_.send(forwards_);
  for (const packet::Packet& packet : forwards_.packets()) settle(packet);
  forwards_.clear();  // also of the bytes of packets that the transport took out again
}

// Dropped before it got a datagram: seen inside only.
void Outbound::refuse(DropReason reason, const packet::Packet& packet) noexcept {
  const bool has_peer = packet.peer != kNoPeer;
  const bool has_remote = has_peer && tables_.peers[packet.peer].endpoint;
  tables_.drops.count(reason, packet.bytes, Direction::kOut, has_remote ? &packet.remote : nullptr,
                      tables_.now);
  tables_.captures.inner(
      packet.bytes, Direction::kOut,
      {.peer = has_peer ? std::string_view(tables_.peers[packet.peer].name) : std::string_view(),
       .dropped = reason});
}

// Dropped as the datagram it had become.
void Outbound::drop(DropReason reason, const packet::Packet& packet) noexcept {
  if (transport_.rewrites())
    tables_.drops.count_sealed(reason, packet.bytes.size(), Direction::kOut, &packet.remote,
                               tables_.now);
  else
    tables_.drops.count(reason, packet.bytes, Direction::kOut, &packet.remote, tables_.now);
  tables_.captures.outer(
      packet, Direction::kOut,
      {.pair = packet.pair, .peer = tables_.peers[packet.peer].name, .dropped = reason});
}

}  // namespace vpntun::dataplane
