#include "ctl/capture_text.h"

#include <fmt/format.h>

#include <charconv>

#include "base/log.h"
#include "packet/describe.h"
#include "packet/ip_view.h"

namespace vpntun::ctl {
namespace {

using packet::Direction;

// Interface 0 of the stream carries inner packets, 1 outer ones (org.vpntun1.Diagnostics).
constexpr std::uint32_t kInner = 0;

constexpr std::string_view kSeparator = ", ";

// What follows prefix in a part, when it begins so.
std::optional<std::string_view> after(std::string_view part, std::string_view prefix) {
  if (!part.starts_with(prefix)) return std::nullopt;
  return part.substr(prefix.size());
}

void read_part(std::string_view part, CaptureComment& comment) {
  if (const auto number = after(part, "pair ")) {
    std::uint64_t pair = 0;
    const auto [end, error] =
        std::from_chars(number->data(), number->data() + number->size(), pair);
    if (error == std::errc() && end == number->data() + number->size()) comment.pair = pair;
  } else if (const auto peer = after(part, "peer ")) {
    comment.peer = escaped(*peer);
  } else if (const auto reason = after(part, "dropped: ")) {
    comment.dropped = escaped(*reason);
  } else if (part == "injected") {
    comment.injected = true;
  } else if (part == "flooded") {
    comment.flooded = true;
  } else if (part == "out") {
    comment.direction = Direction::kOut;
  } else if (part == "in") {
    comment.direction = Direction::kIn;
  } else {
    comment.remark = escaped(part);
  }
}

packet::Layer layer_of(const CaptureRecord& record) {
  return record.link == packet::LinkType::kEthernet ? packet::Layer::kEthernet : packet::Layer::kIp;
}

// Where a packet comes from and which way it goes: "From tun ==>", from the interface to the peer;
// "From socket <==", the other way.
std::string_view origin(const CaptureRecord& record, const CaptureComment& comment) {
  if (comment.injected) return "Injected <==";
  const Direction direction =
      record.direction == Direction::kUnknown ? comment.direction : record.direction;
  // What nobody sent us is our own: the answer to a packet that is too big.
  if (direction == Direction::kIn && !comment.remark.empty()) return "From vpntund <==";
  if (direction == Direction::kIn) return "From socket <==";
  return record.link == packet::LinkType::kEthernet ? "From tap ==>" : "From tun ==>";
}

}  // namespace

CaptureComment parse_comment(std::string_view comment) {
  CaptureComment out;
  while (!comment.empty()) {
    const std::size_t end = comment.find(kSeparator);
    read_part(comment.substr(0, end), out);
    if (end == std::string_view::npos) break;
    comment.remove_prefix(end + kSeparator.size());
  }
  return out;
}

std::string outer_text(const CaptureRecord& outer) {
  const std::optional<packet::IpView> ip = packet::IpView::parse_quoted(outer.bytes);
  if (!ip || ip->protocol() != packet::kProtocolUdp || ip->is_later_fragment())
    return packet::describe(outer.bytes);
  const std::optional<packet::UdpView> udp = packet::UdpView::parse(ip->payload());
  if (!udp) return packet::describe(outer.bytes);
  const std::size_t headers = ip->header_length() + 8;
  const std::size_t payload = outer.original_length > headers ? outer.original_length - headers : 0;
  return fmt::format("UDP {} -> {}, {} IP + 8 UDP + {} = {} bytes",
                     Endpoint{ip->source(), udp->source_port()}.to_string(),
                     Endpoint{ip->destination(), udp->destination_port()}.to_string(),
                     ip->header_length(), payload, outer.original_length);
}

std::string CaptureText::lines(const Half* inner, const Half* outer) {
  const Half& first = inner != nullptr ? *inner : *outer;
  std::string out = fmt::format("{}: ", origin(first.record, first.comment));
  out += (inner != nullptr ? packet::describe(first.record.bytes, layer_of(first.record))
                           : outer_text(first.record)) +
         '\n';
  if (inner != nullptr && outer != nullptr) out += "    in " + outer_text(outer->record) + '\n';
  const std::string& dropped = !first.comment.dropped.empty() || outer == nullptr
                                   ? first.comment.dropped
                                   : outer->comment.dropped;
  if (!first.comment.remark.empty()) out += fmt::format("    {}\n", first.comment.remark);
  if (!dropped.empty()) out += fmt::format("    dropped: {}\n", dropped);
  if (hex_dump_)
    out += packet::hex_dump(first.record.bytes, layer_of(first.record), first.record.bytes.size());
  if (!first.shown) ++packets_;
  return out;
}

std::string CaptureText::lines_of_one(const Half& half) {
  if (half.shown) return {};
  const bool inner = half.record.interface == kInner;
  return lines(inner ? &half : nullptr, inner ? nullptr : &half);
}

std::string CaptureText::join(Half& inner, const Half& outer) {
  std::string out = lines(&inner, &outer);
  inner.shown = inner.comment.flooded;
  return out;
}

std::string CaptureText::add(const CaptureRecord& record) {
  Half half{record, parse_comment(record.comment)};
  const CaptureComment& comment = half.comment;
  if (!comment.pair) return lines_of_one(half);
  const auto other = waiting_.find(*comment.pair);
  if (other != waiting_.end() && other->second.record.interface != record.interface) {
    const bool inner = record.interface == kInner;
    std::string out = inner ? join(half, other->second) : join(other->second, half);
    if (inner || !other->second.shown) waiting_.erase(other);
    return out;
  }
  // What was dropped or injected goes no further: no other half will come.
  if (!comment.dropped.empty() || comment.injected) return lines_of_one(half);
  std::string out;
  if (waiting_.size() >= kMaxWaiting) {
    out = lines_of_one(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
  const std::uint64_t pair = *comment.pair;
  waiting_.insert_or_assign(pair, std::move(half));
  return out;
}

std::string CaptureText::rest() {
  std::string out;
  for (const auto& [pair, half] : waiting_) out += lines_of_one(half);
  waiting_.clear();
  return out;
}

}  // namespace vpntun::ctl
