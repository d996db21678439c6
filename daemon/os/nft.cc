#include "os/nft.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace vpntun::os {
namespace {

using Context = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

struct Outcome {
  bool done = false;
  std::string text;  // nft's explanation of a refusal
};

// libnftables ends the program where it finds no netlink socket, so ask first.
void require_nftables() {
  const UniqueFd probe(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!probe)
    throw Error(ErrorKind::kNotSupported,
                "this kernel has no nftables (module nf_tables), which masquerading needs");
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

}  // namespace

std::string masquerade_table(const std::string& tunnel) {
  if (!is_plain(tunnel) || tunnel.size() > 200)
    throw Error(ErrorKind::kInvalidArguments, "\"{}\" cannot name an nftables table",
                escaped(tunnel));
  return "vpntun_" + tunnel;
}

void install_masquerade(const std::string& tunnel, const std::string& interface) {
  const std::string table = masquerade_table(tunnel);
  if (!is_plain(interface) || interface.size() >= IFNAMSIZ)
    throw Error(ErrorKind::kInvalidArguments, "masquerade: \"{}\" cannot be used as interface name",
                escaped(interface));
  // Adding before deleting makes the deletion succeed whether or not there was a table.
  const Outcome outcome = run(
      fmt::format("add table inet {0}\n"
                  "delete table inet {0}\n"
                  "add table inet {0}\n"
                  "add chain inet {0} postrouting {{ type nat hook postrouting priority 100; "
                  "policy accept; }}\n"
                  "add rule inet {0} postrouting iifname \"{1}\" oifname != \"{1}\" masquerade\n",
                  table, interface));
  if (!outcome.done)
    throw_refused(outcome, fmt::format("install the nftables table {} that masquerades {}", table,
                                       interface));
}

bool remove_masquerade(const std::string& tunnel) {
  const std::string table = masquerade_table(tunnel);
  const Outcome outcome = run(fmt::format("delete table inet {}\n", table));
  if (!outcome.done && !says(outcome, "No such file or directory"))
    throw_refused(outcome, fmt::format("remove the nftables table {}", table));
  return outcome.done;
}

bool masquerade_installed(const std::string& tunnel) {
  const std::string table = masquerade_table(tunnel);
  const Outcome outcome = run(fmt::format("list table inet {}\n", table));
  if (!outcome.done && !says(outcome, "No such file or directory"))
    throw_refused(outcome, fmt::format("look for the nftables table {}", table));
  return outcome.done;
}

}  // namespace vpntun::os
