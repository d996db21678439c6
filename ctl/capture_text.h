// A capture as lines for people: each inner packet, then the UDP datagram it travels in. The two
// are separate records of the stream, joined by the number in their comments ("pair N, peer NAME,
// out|in"). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "packet/pcapng.h"

namespace vpntun::ctl {

using CaptureRecord = packet::PcapngReader::Record;

// What a record's comment says.
struct CaptureComment {
  std::optional<std::uint64_t> pair;
  std::string peer;     // empty: none
  std::string dropped;  // the reason; empty: it was not
  bool injected = false;
  bool flooded = false;  // a frame that goes to several peers: one inner record, one outer for each
  std::string remark;    // anything else
  packet::Direction direction = packet::Direction::kUnknown;
};
CaptureComment parse_comment(std::string_view comment);

class CaptureText {
 public:
  // hex_dump: the bytes of the inner packet under each.
  explicit CaptureText(bool hex_dump) : hex_dump_(hex_dump) {}

  // Lines that are complete with this record; often none until its other half comes.
  std::string add(const CaptureRecord& record);
  // Lines of all records whose other half has not come: at the end, or when the stream is quiet.
  std::string rest();
  // Packets given out: a pair is one.
  std::uint64_t packets() const noexcept { return packets_; }

 private:
  struct Half {
    CaptureRecord record;
    CaptureComment comment;
    bool shown = false;  // with the first of several datagrams; waits for the others
  };
  // Halves that wait for the other; the data plane writes both together, so few ever do.
  static constexpr std::size_t kMaxWaiting = 64;

  std::string lines(const Half* inner, const Half* outer);
  std::string lines_of_one(const Half& half);
  std::string join(Half& inner, const Half& outer);

  bool hex_dump_;
  std::uint64_t packets_ = 0;
  std::map<std::uint64_t, Half> waiting_;
};

// "UDP 10.0.2.7:41872 -> 10.0.2.8:9090, 20 IP + 8 UDP + 84 = 112 bytes"; another packet in words.
std::string outer_text(const CaptureRecord& outer);

}  // namespace vpntun::ctl
