#include "os/netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "os/socket_option.h"

namespace vpntun::os {
namespace {

constexpr std::size_t kReceiveBytes = 65536;  // the kernel fills at most 32 KiB per datagram
constexpr int kDumpAttempts = 50;

// The extended acknowledgement's text; empty if there is none. netlink(7), NETLINK_EXT_ACK.
std::string explanation(const nlmsghdr& message) {
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto& error = *static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
  std::size_t offset = sizeof(nlmsgerr);
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0)
    offset += MNL_ALIGN(error.msg.nlmsg_len - sizeof(nlmsghdr));
  if (offset >= mnl_nlmsg_get_payload_len(&message)) return {};

  for (const nlattr* attribute : Attributes(message, offset)) {
    if (mnl_attr_get_type(attribute) != NLMSGERR_ATTR_MSG) continue;
    if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return {};
    return mnl_attr_get_str(attribute);
  }
  return {};
}

int error_number_of(const nlmsghdr& message) noexcept {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(nlmsgerr)) return EBADMSG;
  return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message))->error;
}

// NLMSG_DONE carries the result of the dump: 0 or a negative errno.
int result_of_dump(const nlmsghdr& message) noexcept {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(int)) return 0;
  return -*static_cast<const int*>(mnl_nlmsg_get_payload(&message));
}

// Calls `each(message)` for the messages that answer request `sequence`, until it returns false.
template <typename Each>
void for_each_answer(std::span<const std::uint8_t> datagram, std::uint32_t sequence, Each each) {
  for (const nlmsghdr* message : messages_in(datagram)) {
    if (message->nlmsg_seq == sequence && !each(*message)) return;
  }
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags)
    : header_(mnl_nlmsg_put_header(buffer_.data())) {
  header_->nlmsg_type = type;
  header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

void NetlinkMessage::put_address(std::uint16_t attribute, const IpAddress& address) {
  mnl_attr_put(header_, attribute, address.bytes().size(), address.bytes().data());
}

static_assert(NETLINK_ROUTE == 0);

NetlinkSocket::NetlinkSocket(int protocol)
    : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)), buffer_(kReceiveBytes) {
  constexpr std::string_view kAttempted = "open a netlink socket";
  if (!fd_) throw_errno(errno, kAttempted);
  set_option(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1, kAttempted);
  set_option(fd_.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1, kAttempted);
  set_option(fd_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1, kAttempted);
  // The kernel answers before send returns; the limit only bounds a fault.
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  set_option(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, limit, kAttempted);
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)) < 0)
    throw_errno(errno, kAttempted);
}

void NetlinkSocket::send(NetlinkMessage& message, std::uint16_t flags, std::string_view attempted) {
  nlmsghdr* header = message.header();
  header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | flags);
  header->nlmsg_seq = ++sequence_;
  while (::send(fd_.get(), header, header->nlmsg_len, 0) < 0) {
    if (errno != EINTR) throw_errno(errno, attempted);
  }
}

std::span<const std::uint8_t> NetlinkSocket::receive(std::string_view attempted) {
  while (true) {
    sockaddr_nl source{};
    socklen_t source_length = sizeof(source);
    const ssize_t length = ::recvfrom(fd_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC,
                                      reinterpret_cast<sockaddr*>(&source), &source_length);
    if (length < 0) {
      if (errno == EINTR) continue;
      throw_errno(errno == EAGAIN ? ETIMEDOUT : errno, attempted);
    }
    if (source.nl_pid != 0) continue;  // not from the kernel
    if (static_cast<std::size_t>(length) > buffer_.size()) throw_errno(EMSGSIZE, attempted);
    return std::span(buffer_).first(static_cast<std::size_t>(length));
  }
}

NetlinkAnswer NetlinkSocket::ask(NetlinkMessage& message, std::string_view attempted) {
  send(message, NLM_F_ACK, attempted);
  NetlinkAnswer answer;
  bool acknowledged = false;
  while (!acknowledged) {
    for_each_answer(receive(attempted), sequence_, [&](const nlmsghdr& part) {
      if (part.nlmsg_type == NLMSG_ERROR) {
        answer.error_number = error_number_of(part);
        answer.text = explanation(part);
        acknowledged = true;
        return false;
      }
      const auto* first = reinterpret_cast<const std::uint8_t*>(&part);
      answer.reply.assign(first, first + part.nlmsg_len);
      return true;
    });
  }
  return answer;
}

void NetlinkSocket::request(NetlinkMessage& message, std::string_view attempted) {
  const NetlinkAnswer answer = ask(message, attempted);
  if (answer.error_number != 0) throw_refusal(answer, attempted);
}

bool NetlinkSocket::dump_once(std::string_view attempted,
                              const std::function<void(const nlmsghdr&)>& each) {
  bool complete = true;
  bool done = false;
  while (!done) {
    for_each_answer(receive(attempted), sequence_, [&](const nlmsghdr& part) {
      if ((part.nlmsg_flags & NLM_F_DUMP_INTR) != 0) complete = false;
      if (part.nlmsg_type == NLMSG_DONE || part.nlmsg_type == NLMSG_ERROR) {
        done = true;
        const bool refused = part.nlmsg_type == NLMSG_ERROR;
        const int error_number = refused ? error_number_of(part) : result_of_dump(part);
        if (error_number == EINTR)
          complete = false;
        else if (error_number != 0)
          throw_refusal({error_number, explanation(part), {}}, attempted);
        return false;
      }
      each(part);
      return true;
    });
  }
  return complete;
}

void NetlinkSocket::dump(NetlinkMessage& message, std::string_view attempted,
                         const std::function<void()>& restart,
                         const std::function<void(const nlmsghdr&)>& each) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    send(message, NLM_F_DUMP, attempted);
    if (dump_once(attempted, each)) return;
  }
  throw Error(ErrorKind::kFailed, "{}: it keeps changing while it is read", attempted);
}

// Not mnl_nlmsg_ok(), which takes a length beyond 2 GiB for a negative one that fits.
std::vector<const nlmsghdr*> messages_in(std::span<const std::uint8_t> datagram) {
  std::vector<const nlmsghdr*> messages;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    const std::size_t length = message->nlmsg_len;
    if (length < sizeof(nlmsghdr) || length > datagram.size()) break;
    messages.push_back(message);
    datagram = datagram.subspan(std::min<std::size_t>(MNL_ALIGN(length), datagram.size()));
  }
  return messages;
}

Attributes::Attributes(const nlmsghdr& message, std::size_t family_header_size) noexcept {
  const auto* payload = static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(&message));
  const std::size_t length = mnl_nlmsg_get_payload_len(&message);
  const std::size_t offset = MNL_ALIGN(family_header_size);
  if (offset < length) bytes_ = std::span(payload, length).subspan(offset);
}

Attributes::Attributes(const nlattr* nest) noexcept
    : bytes_(static_cast<const std::uint8_t*>(mnl_attr_get_payload(nest)),
             mnl_attr_get_payload_len(nest)) {}

Attributes::Iterator& Attributes::Iterator::operator++() noexcept {
  rest_ = rest_.subspan(std::min<std::size_t>(MNL_ALIGN((**this)->nla_len), rest_.size()));
  return *this;
}

bool Attributes::Iterator::operator==(std::default_sentinel_t) const noexcept {
  return !mnl_attr_ok(**this, static_cast<int>(rest_.size()));
}

void throw_refusal(const NetlinkAnswer& answer, std::string_view attempted) {
  const std::string reason = std::generic_category().message(answer.error_number);
  const ErrorKind kind = kind_of_errno(answer.error_number);
  if (kind == ErrorKind::kAccessDenied)
    throw Error(kind, "{}: {} (this needs CAP_NET_ADMIN in the network namespace)", attempted,
                reason);
  if (answer.text.empty()) throw Error(kind, "{}: {}", attempted, reason);
  throw Error(kind, "{}: {} ({})", attempted, reason, answer.text);
}

IpAddress address_of(const nlattr* attribute) noexcept {
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  switch (mnl_attr_get_payload_len(attribute)) {
    case 4:
      return IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4));
    case 16:
      return IpAddress::v6(std::span<const std::uint8_t, 16>(bytes, 16));
    default:
      return {};
  }
}

}  // namespace vpntun::os
