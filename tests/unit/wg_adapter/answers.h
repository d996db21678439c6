// What wg_adapter answers: README.md has the requests. Main thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/allowed_ips.h"
#include "wg/rate_limiter.h"
#include "wg/replay_window.h"
#include "wg_adapter/request.h"

namespace vpntun::adapter {

class Answers {
 public:
  // "ok ...", "err" or "unsupported".
  std::string answer(const std::string& line);

 private:
  using Member = std::string (Answers::*)(Request&);
  static const std::map<std::string, Member>& verbs();

  std::string replay_new(Request&);
  std::string replay(Request& request);
  std::string aip_new(Request&);
  std::string aip_insert(Request& request);
  std::string aip_remove(Request& request);
  std::string aip_remove_peer(Request& request);
  std::string aip_lookup(Request& request);
  std::string aip_empty(Request&);
  std::string rl_new(Request&);
  std::string rl_allow(Request& request);
  dataplane::PeerIndex index_of(const std::string& peer);

  wg::ReplayWindow window_;
  wg::RateLimiter limiter_;
  std::vector<std::string> peers_;
  std::map<IpPrefix, dataplane::PeerIndex> owners_;
  // Of owners_. As the product does it: made anew after a change.
  std::optional<dataplane::AllowedIps> allowed_ips_;
};

}  // namespace vpntun::adapter
