#include "session/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <span>
#include <system_error>
#include <thread>
#include <utility>

namespace vpntun::session {

namespace {

std::optional<Endpoint> endpoint_of(const sockaddr* address, std::uint16_t port) {
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&in->sin_addr);
    return Endpoint{IpAddress::v4(std::span<const std::uint8_t, 4>(bytes, 4)), port, 0};
  }
  if (address->sa_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    return Endpoint{IpAddress::v6(std::span<const std::uint8_t, 16>(in->sin6_addr.s6_addr)), port,
                    in->sin6_scope_id};
  }
  return std::nullopt;
}

}  // namespace

Resolver::Resolver(service::Loop& loop, Answered answered, Lookup lookup)
    : answered_(std::move(answered)),
      lookup_(std::make_shared<const Lookup>(std::move(lookup))),
      answers_(std::make_shared<Mailbox<NameAnswer>>()),
      source_(loop.add_io(answers_->fd(), EPOLLIN, [this](std::uint32_t) { take_answers(); })) {}

void Resolver::ask(std::size_t peer, const std::string& host, std::uint16_t port) {
  waiting_.push_back({peer, host, port});
  if (waiting_.size() == 1) look_up_next();
}

void Resolver::look_up_next() {
  const Question& question = waiting_.front();
  try {
    std::thread([lookup = lookup_, answers = answers_, host = question.host, port = question.port] {
      answers->post((*lookup)(host, port));
    }).detach();
  } catch (const std::system_error& error) {  // out of threads, maybe not for long
    answers_->post({{}, std::string("cannot start the lookup: ") + error.what()});
  }
}

void Resolver::take_answers() {
  for (const NameAnswer& answer : answers_->take()) {
    const Question question = std::move(waiting_.front());
    waiting_.pop_front();
    if (!waiting_.empty()) look_up_next();
    answered_(question.peer, answer);
  }
}

NameAnswer Resolver::system_lookup(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int result = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (result != 0) return {{}, ::gai_strerror(result)};
  NameAnswer answer;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next)
    if (const auto endpoint = endpoint_of(entry->ai_addr, port))
      answer.endpoints.push_back(*endpoint);
  ::freeaddrinfo(list);
  return answer;
}

}  // namespace vpntun::session
