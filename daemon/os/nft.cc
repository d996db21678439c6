#include "os/nft.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "os/netlink.h"

namespace vpntun::os {
namespace {

using Context = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

struct Outcome {
  bool done = false;
  std::string text;  // nft's explanation of a refusal
};

// libnftables ends the program where it finds no netlink socket, so ask first. It takes a second
// one for rules with interfaces.
void require_nftables() {
  const UniqueFd links(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!links) throw_errno(errno, "open a netlink socket");
  const UniqueFd probe(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!probe)
    throw Error(ErrorKind::kNotSupported, "this kernel has no nftables (module nf_tables)");
}

Outcome run(const std::string& commands) {
  require_nftables();
  const Context context(nft_ctx_new(NFT_CTX_DEFAULT), &nft_ctx_free);
  if (!context || nft_ctx_buffer_error(context.get()) != 0 ||
      nft_ctx_buffer_output(context.get()) != 0)
    throw Error(ErrorKind::kFailed, "set up libnftables: out of memory");
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) return {true, {}};
  return {false, nft_ctx_get_error_buffer(context.get())};
}

bool says(const Outcome& outcome, std::string_view text) {
  return outcome.text.find(text) != std::string::npos;
}

[[noreturn]] void throw_refused(const Outcome& outcome, std::string_view attempted) {
  const std::string text = escaped(outcome.text.substr(0, outcome.text.find('\n')));
  if (says(outcome, "Operation not permitted"))
    throw Error(ErrorKind::kAccessDenied, "{}: {} (this needs CAP_NET_ADMIN)", attempted, text);
  if (says(outcome, "not supported"))
    throw Error(ErrorKind::kNotSupported, "{}: {}", attempted, text);
  throw Error(ErrorKind::kFailed, "{}: {}", attempted, text);
}

bool is_plain(const std::string& name) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.find_first_not_of(kPlain) == std::string::npos;
}

std::size_t count_rules(std::string_view commands) {
  constexpr std::string_view kRule = "add rule ";
  std::size_t rules = 0;
  for (auto at = commands.find(kRule); at != commands.npos; at = commands.find(kRule, at + 1))
    ++rules;
  return rules;
}

bool is_rule_of(const std::string& table, const nlmsghdr& message) {
  if (message.nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWRULE)) return false;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(nfgenmsg)) return false;
  if (static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message))->nfgen_family != NFPROTO_INET)
    return false;
  for (const nlattr* attribute : Attributes(message, sizeof(nfgenmsg)))
    if (mnl_attr_get_type(attribute) == NFTA_RULE_TABLE &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
      return mnl_attr_get_str(attribute) == table;
  return false;
}

}  // namespace

std::string table_name(NftTable table, const std::string& tunnel) {
  if (!is_plain(tunnel) || tunnel.size() > 200)
    throw Error(ErrorKind::kInvalidArguments, "\"{}\" cannot name an nftables table",
                escaped(tunnel));
  switch (table) {
    case NftTable::kReplyPath:
      return "vpntun-routing_" + tunnel;
    case NftTable::kKillSwitch:
      return "vpntun-killswitch_" + tunnel;
    default:
      return "vpntun_" + tunnel;
  }
}

// Adding before deleting makes the deletion succeed whether or not there was a table.
std::size_t replace_table(const std::string& table, const std::string& commands,
                          const std::string& that_does) {
  const Outcome outcome = run(fmt::format(
      "add table inet {0}\ndelete table inet {0}\nadd table inet {0}\n{1}", table, commands));
  if (!outcome.done)
    throw_refused(outcome, fmt::format("install the nftables table {} {}", table, that_does));
  return count_rules(commands);
}

bool remove_table(NftTable table, const std::string& tunnel) {
  const std::string name = table_name(table, tunnel);
  const Outcome outcome = run(fmt::format("delete table inet {}\n", name));
  if (!outcome.done && !says(outcome, "No such file or directory"))
    throw_refused(outcome, fmt::format("remove the nftables table {}", name));
  return outcome.done;
}

// By message, not by libnftables, which would read all of the ruleset: this is asked often.
bool table_installed(NftTable table, const std::string& tunnel) {
  require_nftables();
  const std::string name = table_name(table, tunnel);
  NetlinkSocket netlink(NETLINK_NETFILTER);
  NetlinkMessage message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, 0);
  message.put_header<nfgenmsg>().nfgen_family = NFPROTO_INET;
  mnl_attr_put_strz(message.header(), NFTA_TABLE_NAME, name.c_str());
  const std::string attempted = fmt::format("look for the nftables table {}", name);
  const NetlinkAnswer answer = netlink.ask(message, attempted);
  if (answer.error_number == ENOENT || answer.error_number == EINVAL) return false;
  if (answer.error_number != 0) throw_refusal(answer, attempted);
  return true;
}

// In the same way. Old kernels do not filter.
std::size_t rules_in_table(NftTable table, const std::string& tunnel) {
  require_nftables();
  const std::string name = table_name(table, tunnel);
  NetlinkSocket netlink(NETLINK_NETFILTER);
  NetlinkMessage message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETRULE, 0);
  message.put_header<nfgenmsg>().nfgen_family = NFPROTO_INET;
  mnl_attr_put_strz(message.header(), NFTA_RULE_TABLE, name.c_str());
  std::size_t rules = 0;
  netlink.dump(
      message, fmt::format("count the rules in the nftables table {}", name), [&] { rules = 0; },
      [&](const nlmsghdr& rule) { rules += is_rule_of(name, rule) ? 1 : 0; });
  return rules;
}

}  // namespace vpntun::os
