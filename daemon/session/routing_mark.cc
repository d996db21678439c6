#include "session/routing_mark.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/log.h"
#include "os/rule.h"
#include "session/host_config.h"

namespace vpntun::session {

namespace {

constexpr std::string_view kPrefix = "vpntun-mark-";

std::vector<MarkClaim> claims(os::NetlinkSocket& netlink) {
  std::vector<MarkClaim> found;
  for (const os::Link& link : os::list_links(netlink))
    for (const std::string& name : link.alternative_names)
      if (auto claim = parse_claim(name)) found.push_back(*std::move(claim));
  return found;
}

bool is_chosen(std::uint32_t mark) {
  return mark >= kFirstMark && mark - kFirstMark < kMarks;
}

}  // namespace

std::string name_of(const MarkClaim& claim) {
  return fmt::format("{}{}-{}", kPrefix, claim.mark, claim.tunnel);
}

std::optional<MarkClaim> parse_claim(std::string_view alternative_name) {
  if (!alternative_name.starts_with(kPrefix)) return std::nullopt;
  alternative_name.remove_prefix(kPrefix.size());
  MarkClaim claim;
  const char* last = alternative_name.data() + alternative_name.size();
  const auto [end, error] = std::from_chars(alternative_name.data(), last, claim.mark);
  if (error != std::errc{} || claim.mark == 0 || last - end < 2 || *end != '-') return std::nullopt;
  claim.tunnel.assign(end + 1, last);
  return claim;
}

// FNV-1a: spreads well, and is the same in every version of the program.
std::uint32_t first_choice(std::string_view tunnel) noexcept {
  std::uint32_t hash = 2166136261u;
  for (const char c : tunnel) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return kFirstMark + hash % kMarks;
}

std::uint32_t choose_mark(os::NetlinkSocket& netlink, const config::Profile& profile) {
  if (profile.interface.fwmark != 0) return profile.interface.fwmark;
  if (!shares_a_namespace(profile.netns)) return 0;
  const std::vector<MarkClaim> claimed = claims(netlink);
  for (const MarkClaim& claim : claimed)
    if (claim.tunnel == profile.name && is_chosen(claim.mark)) return claim.mark;
  const std::vector<os::Rule> rules = os::list_rules(netlink);
  const auto taken = [&](std::uint32_t mark) {
    return std::ranges::any_of(claimed, [&](const MarkClaim& c) { return c.mark == mark; }) ||
           std::ranges::any_of(rules, [&](const os::Rule& rule) {
             return rule.protocol != os::kRuleProtocol && (rule.mark == mark || rule.table == mark);
           });
  };
  std::uint32_t mark = first_choice(profile.name);
  for (std::uint32_t i = 0; i < kMarks && taken(mark); ++i)
    mark = kFirstMark + (mark - kFirstMark + 1) % kMarks;
  return mark;
}

void sweep_rules(os::NetlinkSocket& netlink, const std::string& tunnel) {
  std::vector<MarkClaim> alive = claims(netlink);
  std::erase_if(alive, [&](const MarkClaim& claim) { return claim.tunnel == tunnel; });
  for (const os::Rule& rule : os::list_rules(netlink)) {
    const bool claimed =
        std::ranges::any_of(alive, [&](const MarkClaim& claim) { return claim.mark == rule.mark; });
    if (rule.protocol == os::kRuleProtocol && !claimed && os::remove_rule(netlink, rule))
      log::notice("a routing rule of an earlier run, mark {:#x}, is removed", rule.mark);
  }
}

}  // namespace vpntun::session
