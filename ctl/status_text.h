// `vpnctl status` in words: the table of all tunnels and what is worth saying under it, and one
// tunnel in detail. Pure: facts in, text out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ctl/print.h"
#include "ctl/tunnel_info.h"

namespace vpntun::ctl {

// Bytes per second between two looks at a tunnel.
struct Rates {
  double rx = 0;
  double tx = 0;
};
using RatesByName = std::map<std::string, Rates>;

// Rates of the tunnels that ran at both looks, `elapsed` apart. Counters that went back (a restart)
// give none.
RatesByName rates_between(const std::vector<TunnelInfo>& before,
                          const std::vector<TunnelInfo>& after,
                          std::chrono::duration<double> elapsed);

// The table, then one line for each thing worth saying. rates: null leaves the rate columns out.
std::string overview_text(const std::vector<TunnelInfo>& tunnels, const Style& style,
                          std::uint64_t now_usec, const RatesByName* rates = nullptr);

// One tunnel with everything known about it, and what to do next when it does not run.
std::string detail_text(const TunnelInfo& tunnel, const Style& style, std::uint64_t now_usec,
                        const RatesByName* rates = nullptr);

// Every profile with its state and description.
std::string list_text(const std::vector<TunnelInfo>& tunnels, const Style& style);

// "lab: running on tun0 (192.168.53.99/24). Not encrypted."
std::string started_text(const TunnelInfo& tunnel);

}  // namespace vpntun::ctl
