#include "wg_adapter/answers.h"

#include <algorithm>

#include "wg/constants.h"
#include "wg_adapter/protocol.h"

namespace vpntun::adapter {

std::string Answers::answer(const std::string& line) {
  Request request(line);
  try {
    std::string words;
    if (const auto own = verbs().find(request.verb()); own != verbs().end())
      words = (this->*own->second)(request);
    else if (const auto other = stateless_verbs().find(request.verb());
             other != stateless_verbs().end())
      words = other->second(request);
    else
      return "unsupported";
    if (request.has_more()) return "err";
    return words.empty() ? "ok" : "ok " + words;
  } catch (const Refused&) {
    return "err";
  }
}

const std::map<std::string, Answers::Member>& Answers::verbs() {
  static const std::map<std::string, Member> verbs = {
      {"replay_new", &Answers::replay_new}, {"replay", &Answers::replay},
      {"aip_new", &Answers::aip_new},       {"aip_insert", &Answers::aip_insert},
      {"aip_remove", &Answers::aip_remove}, {"aip_remove_peer", &Answers::aip_remove_peer},
      {"aip_lookup", &Answers::aip_lookup}, {"aip_empty", &Answers::aip_empty},
      {"rl_new", &Answers::rl_new},         {"rl_allow", &Answers::rl_allow},
  };
  return verbs;
}

std::string Answers::replay_new(Request&) {
  window_ = {};
  return std::to_string(wg::ReplayWindow::kWindow);
}

std::string Answers::replay(Request& request) {
  return window_.take(request.number<std::uint64_t>(), wg::kRejectAfterMessages) ? "1" : "0";
}

std::string Answers::aip_new(Request&) {
  peers_.clear();
  owners_.clear();
  allowed_ips_.reset();
  return {};
}

std::string Answers::aip_insert(Request& request) {
  const dataplane::PeerIndex peer = index_of(request.word());
  owners_[request.prefix().network()] = peer;
  allowed_ips_.reset();
  return {};
}

// A prefix of another owner stays.
std::string Answers::aip_remove(Request& request) {
  const dataplane::PeerIndex peer = index_of(request.word());
  const auto found = owners_.find(request.prefix().network());
  if (found == owners_.end() || found->second != peer) return {};
  owners_.erase(found);
  allowed_ips_.reset();
  return {};
}

std::string Answers::aip_remove_peer(Request& request) {
  const dataplane::PeerIndex peer = index_of(request.word());
  std::erase_if(owners_, [&](const auto& entry) { return entry.second == peer; });
  allowed_ips_.reset();
  return {};
}

std::string Answers::aip_lookup(Request& request) {
  if (!allowed_ips_) {
    std::vector<dataplane::AllowedIp> all;
    for (const auto& [prefix, owner] : owners_) all.push_back({prefix, owner});
    allowed_ips_.emplace(all);
  }
  const dataplane::PeerIndex peer = allowed_ips_->lookup(request.address().bytes());
  return peer == dataplane::kNoPeer ? "-" : peers_.at(peer);
}

std::string Answers::aip_empty(Request&) {
  return owners_.empty() ? "1" : "0";
}

std::string Answers::rl_new(Request&) {
  limiter_ = {};
  return {};
}

std::string Answers::rl_allow(Request& request) {
  const IpAddress source = request.address();
  const Instant now{std::chrono::milliseconds(request.number<std::int64_t>())};
  return limiter_.allow(source, now) ? "1" : "0";
}

dataplane::PeerIndex Answers::index_of(const std::string& peer) {
  const auto index = std::ranges::find(peers_, peer) - peers_.begin();
  if (index == std::ssize(peers_)) peers_.push_back(peer);
  return static_cast<dataplane::PeerIndex>(index);
}

}  // namespace vpntun::adapter
