// A session that runs: brings its members up in order, then looks at counters and host, takes what
// worker and kernel tell, and judges. Behind Session. Thread: control.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "config/profile.h"
#include "dataplane/workers.h"
#include "os/monitor.h"
#include "os/netlink.h"
#include "os/tun.h"
#include "os/udp.h"
#include "service/fd_store.h"
#include "service/loop.h"
#include "session/control_socket.h"
#include "session/handover.h"
#include "session/health.h"
#include "session/host_changes.h"
#include "session/host_config.h"
#include "session/kill_switch.h"
#include "session/mtu.h"
#include "session/peers.h"
#include "session/policy_routing.h"
#include "session/session.h"
#include "session/status.h"
#include "session/status_of.h"
#include "session/ways.h"

namespace vpntun::session {

class Running {
 public:
  // The contracts are Session's.
  Running(config::Profile profile, service::Loop& loop, service::FdStore store);
  // The loop calls back into this object.
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  const config::Profile& profile() const noexcept { return profile_; }
  ReloadResult reload(const config::Profile& profile);
  Status status();
  void on_changed(std::function<void()> changed) { changed_ = std::move(changed); }
  void on_broken(std::function<void(const Error&)> broken) { broken_ = std::move(broken); }
  bool took_over() const noexcept { return handover_.took_over(); }
  bool was_ready() const noexcept { return handover_.was_ready(); }
  void remember_ready() { handover_.remember_ready(); }
  bool heard() const;
  config::Dns dns() const;
  void set_dns_failure(std::string failure);
  void ask_alive(std::function<void()> alive);
  void release();
  UniqueFd capture(const CaptureOptions& options);
  void inject(std::span<const std::uint8_t> bytes, std::function<void(int error_number)> done);

 private:
  void bring_up();
  NameRules name_rules(const config::Profile& profile) const;
  std::vector<std::string> forwarding_interfaces(const HostConfig& wanted);
  void apply(const config::Profile& next);
  void apply_to_host(const config::Interface& settings, const HostConfig& wanted, std::uint32_t mtu,
                     const HostConfig& former);
  void give_up_former_netns();
  void start_workers(std::vector<os::Tun> queues, std::vector<os::UdpSocket> sockets);
  void open_control_socket();
  void change(const config::Profile& next);
  void announce() const;
  void look_at_host(const dataplane::Snapshot& snapshot);
  void look_at_ways(const dataplane::Snapshot& snapshot, Ways::Of which);
  void look_at_forwarding();
  void look();
  bool take_in_moves(const dataplane::Snapshot& snapshot);
  void look_at_peers(const dataplane::Snapshot& snapshot, Instant now);
  void plan_look(Instant when);
  void look_at_host_soon();
  void look_soon();
  void take_events();
  void take_notices();
  void break_with(const Error& error);
  void remember_endpoints(const dataplane::Snapshot& snapshot);
  Facts facts(const dataplane::Snapshot& snapshot);

  // In build order; what comes later is taken down first.
  config::Profile profile_;
  service::Loop& loop_;
  HostConfig wanted_;
  const std::chrono::system_clock::time_point since_;

  Handover handover_;
  Namespaces namespaces_;
  os::NetlinkSocket netlink_;  // of the interface's namespace
  const std::uint32_t mark_;   // of the datagrams
  KillSwitch kill_switch_;
  std::string interface_;
  unsigned index_ = 0;
  std::uint16_t port_ = 0;
  bool outer_ipv6_ = false;
  IpAddress outer_source_;
  Mtu mtu_;
  // Before the interface is up, and until nothing reads it: hosts may forward without us.
  std::optional<Masquerade> masquerade_;
  std::optional<Peers> peers_;
  std::unique_ptr<dataplane::Workers> workers_;  // owns queues and UDP sockets
  std::optional<PolicyRouting> policy_routing_;
  std::optional<Forwarding> forwarding_;
  std::optional<os::Monitor> monitor_;

  bool host_changed_ = false;  // look_at_host() is due at the next look
  bool moved_ = false;         // look_at_ways() of those that moved is
  bool forwarding_v6_off_ = false;
  Duration look_cost_{};  // of the last look
  Instant next_look_{};
  HostDrift drift_;
  std::string dns_failure_;
  std::string control_failure_;
  std::optional<config::Profile> before_wg_;  // what ran before wg(8) changed it
  Ways ways_;
  Duration asleep_ = time_asleep();
  Shown shown_;
  bool broken_told_ = false;
  std::uint64_t next_token_ = 1;
  std::map<std::uint64_t, std::function<void(int)>> injections_;
  std::function<void()> alive_;  // of a question the worker owes the answer to
  std::function<void()> changed_;
  std::function<void(const Error&)> broken_;

  service::EventSource workers_source_;
  service::EventSource monitor_source_;
  service::EventSource timer_;
  std::optional<ControlSocket> control_socket_;
};

}  // namespace vpntun::session
