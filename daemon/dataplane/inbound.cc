#include "dataplane/inbound.h"

#include <algorithm>
#include <cerrno>

#include "packet/ethernet.h"

namespace vpntun::dataplane {

using packet::Direction;
using packet::SendVerdict;

namespace {

DropReason reason_of(const packet::Packet& packet) noexcept {
  if (packet.verdict == SendVerdict::kWouldBlock) return DropReason::kQueueFull;
  const int error = packet.error_number;
  const bool down = error == EIO || error == ENETDOWN || error == EBADFD || error == ENODEV;
  return down ? DropReason::kInterfaceDown : DropReason::kInsideRefused;
}

}  // namespace

Inbound::Inbound(Tables& tables, Transport& transport, packet::InsidePort& inside,
                 packet::OutsidePort& outside, Outbound& outbound)
    : tables_(tables),
      transport_(transport),
      inside_(inside),
      outside_(outside),
      outbound_(outbound) {
  openings_.reserve(packet::kBatchSize);
}

bool Inbound::run(std::size_t budget) noexcept {
  for (;;) {
    in_.clear();
    const bool more = outside_.receive(in_) == packet::Reading::kMore;
    open_early();
    {
      const Hold hold(tables_.mutex);
      for (std::size_t i = 0; i < in_.size(); ++i) accept(in_[i], openings_[i]);
      outbound_.flush_forwards();
    }
    openings_.clear();  // and the keys in them
    flush_inside();
    if (!more || in_.size() >= budget) return more;
    budget -= in_.size();
  }
}

// What ciphers have to do is done before the tables are held. Not while somebody captures, who sees
// datagrams as they came.
void Inbound::open_early() noexcept {
  openings_.resize(in_.size());
  if (!transport_.rewrites()) return;
  {
    const Hold hold(tables_.mutex);
    if (tables_.captures.active()) return;
    for (std::size_t i = 0; i < in_.size(); ++i) openings_[i] = transport_.begin_open(in_[i]);
  }
  for (wg::Opening& opening : openings_) opening.finish();
}

void Inbound::accept(packet::Packet& datagram, const wg::Opening& opening) noexcept {
  packet::Packet outer = datagram;
  if (transport_.rewrites()) outer.bytes = tables_.captures.kept(datagram.bytes);
  const Outcome outcome = transport_.open(datagram, opening);
  CaptureNote note;
  if (datagram.peer != kNoPeer) note.peer = tables_.peers[datagram.peer].name;
  if (outcome.is_dropped()) {
    note.dropped = outcome.reason();
    if (is_unopened(*note.dropped))
      tables_.drops.count_sealed(*note.dropped, datagram.bytes.size(), Direction::kIn,
                                 &datagram.remote, tables_.now);
    else
      tables_.drops.count(*note.dropped, datagram.bytes, Direction::kIn, &datagram.remote,
                          tables_.now);
  } else if (outcome.is_passed()) {
    note.pair = datagram.pair = tables_.captures.next_pair();
  }
  tables_.captures.outer(outer, Direction::kIn, note);
  if (!outcome.is_passed()) return;
  if (tables_.frames)
    switch_frame(datagram);
  else
    accepted_.append_view(datagram);
}

void Inbound::switch_frame(const packet::Packet& frame) noexcept {
  const MacAddress destination = packet::EthernetView::parse(frame.bytes)->destination();
  const PeerIndex place =
      destination.is_multicast() ? kNoPeer : tables_.macs.find(destination, tables_.now);
  if (place == kNoPeer) return flood(frame);
  if (place == kInside) {
    accepted_.append_view(frame);
    return;
  }
  if (place == frame.peer) {
    tables_.drops.count(DropReason::kLoop, frame.bytes, Direction::kIn, &frame.remote, tables_.now);
    tables_.captures.inner(
        frame.bytes, Direction::kIn,
        {.pair = frame.pair, .peer = tables_.peers[frame.peer].name, .dropped = DropReason::kLoop});
    return;
  }
  packet::Packet copy = frame;
  copy.peer = place;
  outbound_.forward(copy);
}

// To the inside and to every other peer that has an endpoint.
void Inbound::flood(const packet::Packet& frame) noexcept {
  accepted_.append_view(frame);
  for (std::size_t i = 0; i < tables_.peers.size(); ++i) {
    packet::Packet copy = frame;
    copy.peer = static_cast<PeerIndex>(i);
    if (copy.peer != frame.peer && tables_.peers[copy.peer].endpoint) outbound_.forward(copy);
  }
}

void Inbound::flush_inside() noexcept {
  if (accepted_.empty()) return;
  inside_.send(accepted_);
  const Hold hold(tables_.mutex);
  for (const packet::Packet& packet : accepted_.packets()) {
    CaptureNote note{.pair = packet.pair, .peer = tables_.peers[packet.peer].name};
    if (packet.verdict != SendVerdict::kSent) {
      note.dropped = reason_of(packet);
      tables_.drops.count(*note.dropped, packet.bytes, Direction::kIn, &packet.remote, tables_.now);
    }
    tables_.captures.inner(packet.bytes, Direction::kIn, note);
  }
  accepted_.clear();
}

int Inbound::inject(std::vector<std::uint8_t> bytes) noexcept {
  if (bytes.size() > packet::kMaxPacket) return EMSGSIZE;
  packet::Packet& packet = accepted_.append_view(bytes);
  inside_.send(accepted_);
  accepted_.clear();
  tables_.captures.inner(packet.bytes, Direction::kIn, {.remark = "injected"});
  if (packet.verdict == SendVerdict::kSent) return 0;
  if (packet.verdict == SendVerdict::kWouldBlock) return EAGAIN;
  return packet.error_number != 0 ? packet.error_number : EIO;
}

}  // namespace vpntun::dataplane
