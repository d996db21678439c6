// A NETLINK_ROUTE socket: request with acknowledgement, dump, lookup. It belongs to the network
// namespace that the calling thread had when it was opened, and stays there. Callers: link,
// address, route; whoever wants one of their functions opens one and passes it. Thread: one at a
// time.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/unique_fd.h"

namespace vpntun::os {

// A request under construction. Attributes are put with libmnl's mnl_attr_put family on header().
class NetlinkMessage {
 public:
  // type: RTM_...; flags: beyond NLM_F_REQUEST, which is always set.
  NetlinkMessage(std::uint16_t type, std::uint16_t flags);
  NetlinkMessage(const NetlinkMessage&) = delete;
  NetlinkMessage& operator=(const NetlinkMessage&) = delete;

  nlmsghdr* header() noexcept { return header_; }
  // The family header (ifinfomsg, ifaddrmsg, rtmsg), zeroed. Call once, before any attribute.
  template <typename Header>
  Header& put_header() {
    return *static_cast<Header*>(mnl_nlmsg_put_extra_header(header_, sizeof(Header)));
  }
  void put_address(std::uint16_t attribute, const IpAddress& address);

 private:
  static constexpr std::size_t kSize = 2048;  // ample for every request this room builds
  alignas(nlmsghdr) std::array<char, kSize> buffer_{};
  nlmsghdr* header_;
};

// What the kernel answered to a request that may be refused. error_number: 0 = done.
struct NetlinkAnswer {
  int error_number = 0;
  std::string text;  // the kernel's own explanation (extended acknowledgement), often empty
  std::vector<std::uint8_t> reply;  // the message answered, with its nlmsghdr; empty if none

  const nlmsghdr* message() const noexcept {
    return reply.empty() ? nullptr : reinterpret_cast<const nlmsghdr*>(reply.data());
  }
};

class NetlinkSocket {
 public:
  // protocol: NETLINK_ROUTE (0), NETLINK_NETFILTER.
  explicit NetlinkSocket(int protocol = 0);

  int fd() const noexcept { return fd_.get(); }

  // Sends and waits for the acknowledgement. attempted: "set the MTU of tun0", opens the error's
  // text.
  void request(NetlinkMessage& message, std::string_view attempted);
  // The same, with the refusal as a value.
  NetlinkAnswer ask(NetlinkMessage& message, std::string_view attempted);
  // Calls `each` for every message of a dump. A dump that changed under our eyes is taken again, so
  // `each` may collect but must do nothing else; `restart` is called first, and again before each
  // repetition.
  void dump(NetlinkMessage& message, std::string_view attempted,
            const std::function<void()>& restart, const std::function<void(const nlmsghdr&)>& each);

 private:
  void send(NetlinkMessage& message, std::uint16_t flags, std::string_view attempted);
  std::span<const std::uint8_t> receive(std::string_view attempted);
  // Returns false if the dump was interrupted by a change.
  bool dump_once(std::string_view attempted, const std::function<void(const nlmsghdr&)>& each);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// The messages in a datagram; ends at the first that does not fit.
std::vector<const nlmsghdr*> messages_in(std::span<const std::uint8_t> datagram);

// The attributes behind the family header of a message, or nested in another one, for a range-for.
// Ends at the first that does not fit. (libmnl's macros for this are C only.)
class Attributes {
 public:
  Attributes(const nlmsghdr& message, std::size_t family_header_size) noexcept;
  explicit Attributes(const nlattr* nest) noexcept;

  class Iterator {
   public:
    explicit Iterator(std::span<const std::uint8_t> rest) noexcept : rest_(rest) {}
    const nlattr* operator*() const noexcept {
      return reinterpret_cast<const nlattr*>(rest_.data());
    }
    Iterator& operator++() noexcept;
    // At the end.
    bool operator==(std::default_sentinel_t) const noexcept;

   private:
    std::span<const std::uint8_t> rest_;
  };

  Iterator begin() const noexcept { return Iterator(bytes_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::span<const std::uint8_t> bytes_;
};

// Throws an Error for a refusal: "<attempted>: <strerror> (<text>)".
[[noreturn]] void throw_refusal(const NetlinkAnswer& answer, std::string_view attempted);

// The address in an attribute of 4 or 16 bytes; unspecified IPv4 for any other length.
IpAddress address_of(const nlattr* attribute) noexcept;

}  // namespace vpntun::os
