#include "session/running.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "base/heap.h"
#include "base/log.h"
#include "config/changes.h"
#include "os/link.h"
#include "os/tun.h"
#include "os/udp.h"
#include "session/interface.h"
#include "session/news.h"
#include "session/routing_mark.h"
#include "session/wg_control.h"

namespace vpntun::session {

namespace {

constexpr int kCapturePipeBytes = 1 << 20;
constexpr std::size_t kLargestInjected = 65535;  // bytes

// Who reads a datagram on its way reads nothing.
bool may_be_public(const config::Profile& profile) {
  return profile.allow_public_plaintext || profile.encryption != config::Encryption::kNone;
}

// One of each for every thread.
std::vector<dataplane::Ports> ports_of(std::vector<os::Tun> queues,
                                       std::vector<os::UdpSocket> sockets) {
  std::vector<dataplane::Ports> ports;
  for (std::size_t i = 0; i < queues.size(); ++i)
    ports.push_back({std::make_unique<os::Tun>(std::move(queues[i])),
                     std::make_unique<os::UdpSocket>(std::move(sockets[i]))});
  return ports;
}

}  // namespace

Running::Running(config::Profile profile, service::Loop& loop, service::FdStore store)
    : profile_(std::move(profile)),
      loop_(loop),
      wanted_(host_config_of(profile_)),
      since_(std::chrono::system_clock::now()),
      handover_(std::move(store)),
      namespaces_(profile_.netns, profile_.name),
      netlink_(namespaces_.at_interface([] { return os::NetlinkSocket(); })),
      mark_(choose_mark(netlink_, profile_)),
      kill_switch_(namespaces_, profile_.name, mark_, wanted_) {
  bring_up();
  kill_switch_.started();
  announce();
  const dataplane::Snapshot snapshot = workers_->snapshot();
  remember_endpoints(snapshot);
  look_at_host(snapshot);
  look_at_forwarding();
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, loop_.now());
  shown_ = shown_of(seen, assessment, loop_.now());
  log_lost_offloads({}, shown_.offloads);
  // That nothing was heard yet is no news.
  if (assessment.health != Health::kUnknown) log_health(assessment);
  give_back_freed_memory();
  next_look_ = loop_.now();
  timer_ = loop_.add_timer(next_look_, [this] { look(); });
}

// Before its interface is deleted as one that does not fit, for the marks on that.
void Running::give_up_former_netns() {
  const std::optional<os::Netns> before = handover_.netns_before();
  if (before && !(*before == namespaces_.at_interface([] { return os::Netns::current(); })))
    give_up_leftovers(*before, profile_.name);
}

void Running::bring_up() {
  give_up_former_netns();
  std::vector<os::UdpSocket> sockets = namespaces_.at_socket([this] {
    os::NetlinkSocket at_socket;
    mtu_ = choose_mtu(at_socket, profile_, mark_);
    outer_source_ = choose_source(at_socket, profile_, mark_);
    return handover_.sockets(profile_, mark_);
  });
  std::vector<os::Tun> queues =
      namespaces_.at_interface([this] { return handover_.queues(profile_); });
  interface_ = queues.front().name();
  index_ = queues.front().index();
  port_ = sockets.front().local_port();
  masquerade_.emplace(namespaces_, profile_.name, index_, wanted_.masquerade);
  // No peer could have a link-local address among its allowed IPs that we would know of.
  if (profile_.encryption == config::Encryption::kWireguard && profile_.kind == config::Kind::kTun)
    os::set_no_link_local_v6(netlink_, index_);
  configure_interface(netlink_, index_, profile_.interface, wanted_, mtu_.bytes);

  outer_ipv6_ = sockets.front().family() == Family::kIpv6;
  peers_.emplace(profile_, loop_, name_rules(profile_), namespaces_.lookup_at_socket(),
                 [this](std::size_t peer, const std::optional<Endpoint>& endpoint) {
                   workers_->set_endpoint(static_cast<packet::PeerIndex>(peer), endpoint);
                   moved_ = true;
                   look_soon();
                 });
  start_workers(std::move(queues), std::move(sockets));

  policy_routing_.emplace(namespaces_, netlink_,
                          PolicyRouting::Tunnel{profile_.name, index_, port_, mark_}, wanted_);
  forwarding_.emplace(netlink_, profile_.name, forwarding_interfaces(wanted_));
  namespaces_.at_interface([this] { monitor_.emplace(); });
  monitor_source_ =
      loop_.add_io(monitor_->fd(), EPOLLIN, [this](std::uint32_t) { take_notices(); });
  if (profile_.interface.control_socket) open_control_socket();
}

// The tunnel works without wg(8) too.
void Running::open_control_socket() {
  WgControl control;
  control.profile = [this]() -> const config::Profile& { return profile_; };
  control.status = [this] { return status(); };
  control.listen_port = port_;
  control.fwmark = mark_;
  control.change = [this](const config::Profile& next) { change(next); };
  control.move = [this](std::size_t peer, const Endpoint& endpoint) {
    workers_->set_endpoint(static_cast<packet::PeerIndex>(peer), endpoint);
  };
  try {
    control_socket_.emplace(loop_, interface_,
                            [control = std::move(control)](std::string_view request) {
                              return answer(control, request);
                            });
  } catch (const Error& error) {
    control_failure_ = error.what();
  }
}

NameRules Running::name_rules(const config::Profile& profile) const {
  return {.allow_public = may_be_public(profile), .ipv6 = outer_ipv6_};
}

std::vector<std::string> Running::forwarding_interfaces(const HostConfig& wanted) {
  std::vector<std::string> interfaces = wanted.forwarding_interfaces;
  if (wanted.forwarding) interfaces.push_back(os::get_link(netlink_, index_).name);
  if (forwards_answers(wanted) && masquerade_->installed())
    if (std::string way_out = way_out_of_host(netlink_, index_, mark_); !way_out.empty())
      interfaces.push_back(std::move(way_out));
  return interfaces;
}

void Running::start_workers(std::vector<os::Tun> queues, std::vector<os::UdpSocket> sockets) {
  dataplane::WorkerOptions options;
  options.frames = profile_.kind == config::Kind::kTap;
  options.encrypted = profile_.encryption == config::Encryption::kWireguard;
  options.allow_public_plaintext = profile_.allow_public_plaintext;
  options.listen_port = port_;
  options.local = outer_source_;
  workers_ = std::make_unique<dataplane::Workers>(ports_of(std::move(queues), std::move(sockets)),
                                                  options);
  std::vector<dataplane::PeerConfig> peers = peers_->configs();
  recall(handover_.endpoints(), may_be_public(profile_), peers);
  workers_->set_mtu(mtu_.bytes);
  workers_->set_private_key(profile_.interface.private_key);
  workers_->set_peers(peers);
  // The session before took its keys with it; who only sends to us would not know for 15 s.
  if (handover_.took_over()) workers_->revive_peers();
  workers_->start();
  workers_source_ =
      loop_.add_io(workers_->event_fd(), EPOLLIN, [this](std::uint32_t) { take_events(); });
}

void Running::announce() const {
  const std::string where = profile_.netns.mode == config::Netns::Mode::kNone
                                ? std::string()
                                : fmt::format(" in network namespace {}", profile_.netns.name);
  if (handover_.took_over())
    log::event(log::Event::kTakenOver, {.interface = interface_},
               "{} was left in place by an earlier session, which this one goes on for",
               interface_);
  log::event(log::Event::kUp, {.interface = interface_},
             "{}{} is {}: addresses [{}], routes [{}], mtu {}, UDP port {}", interface_, where,
             wanted_.up ? "up" : "there, down as the profile says",
             fmt::join(texts_of(wanted_.addresses), ", "),
             fmt::join(texts_of(all_routes(wanted_)), ", "), mtu_.derivation, port_);
  if (profile_.encryption == config::Encryption::kNone)
    log::event(log::Event::kNotEncrypted, {.interface = interface_},
               "NOT ENCRYPTED: packets travel readable and anybody can send some; for labs and "
               "trusted networks only");
}

void Running::take_events() {
  for (dataplane::Event& event : workers_->take_events()) {
    if (std::holds_alternative<dataplane::PeerNews>(event)) {
      look_soon();
    } else if (std::holds_alternative<dataplane::Alive>(event)) {
      if (alive_) std::exchange(alive_, {})();
    } else if (std::holds_alternative<dataplane::InsideGone>(event)) {
      break_with(Error(ErrorKind::kFailed, "the interface {} was deleted", interface_));
    } else if (const auto* injected = std::get_if<dataplane::InjectDone>(&event)) {
      const auto waiting = injections_.extract(injected->token);
      if (waiting) waiting.mapped()(injected->error_number);
    } else if (const auto* ended = std::get_if<dataplane::CaptureEnded>(&event)) {
      log::event(log::Event::kCaptureEnded, {.interface = interface_},
                 "a capture ended, {} records lost", ended->lost);
    }
  }
}

void Running::remember_endpoints(const dataplane::Snapshot& snapshot) {
  std::vector<LearnedEndpoint> learned;
  for (std::size_t i = 0; i < profile_.peers.size(); ++i)
    if (profile_.peers[i].endpoints.empty() && snapshot.peers[i].endpoint)
      learned.push_back({profile_.peers[i].name, *snapshot.peers[i].endpoint});
  handover_.remember(learned);
}

void Running::take_notices() {
  bool removed = false;
  for (const os::Notice& notice : monitor_->take())
    if (const auto* link = std::get_if<os::LinkNotice>(&notice))
      removed = removed || (link->removed && link->link.index == index_);
  if (removed)
    return break_with(Error(ErrorKind::kFailed, "the interface {} was deleted", interface_));
  look_at_host_soon();
}

void Running::break_with(const Error& error) {
  if (std::exchange(broken_told_, true)) return;
  log::event(log::Event::kInterfaceDeleted, {.interface = interface_}, "{}", error.what());
  if (broken_) broken_(error);
}

ReloadResult Running::reload(const config::Profile& profile) {
  ReloadResult result;
  for (config::Change& change : config::changes(profile_, profile))
    (change.on_reload == config::OnReload::kLive ? result.applied : result.needs_restart)
        .push_back(std::move(change.key));
  config::Profile next = config::merged(profile_, profile);
  // As long as something is left to a restart, the file is not what runs.
  next.modified_usec =
      result.needs_restart.empty() ? profile.modified_usec : profile_.modified_usec;
  apply(next);
  before_wg_.reset();
  log::event(log::Event::kReloaded, {.interface = interface_},
             "reloaded: applied [{}], a restart is needed for [{}]",
             fmt::join(result.applied, ", "), fmt::join(result.needs_restart, ", "));
  if (changed_) changed_();
  return result;
}

void Running::change(const config::Profile& next) {
  std::vector<std::string> keys;
  for (config::Change& change : config::changes(profile_, next))
    keys.push_back(std::move(change.key));
  config::Profile before = profile_;
  apply(next);
  if (!before_wg_)
    before_wg_ = std::move(before);
  else if (*before_wg_ == profile_)
    before_wg_.reset();
  log::event(log::Event::kChangedByWg, {}, "changed through the control socket: [{}]",
             fmt::join(keys, ", "));
  if (changed_) changed_();
}

// First what may fail. After that there is no way back, and none is needed.
void Running::apply(const config::Profile& next) {
  const HostConfig wanted = host_config_of(next);
  const Mtu mtu = namespaces_.at_socket([&] {
    os::NetlinkSocket at_socket;
    return choose_mtu(at_socket, next, mark_);
  });
  config::Interface before = profile_.interface;
  if (next.interface.mac) before.mac = os::get_link(netlink_, index_).mac;
  try {
    apply_to_host(next.interface, wanted, mtu.bytes, wanted_);
  } catch (const Error&) {
    try {
      apply_to_host(before, wanted_, mtu_.bytes, wanted);
    } catch (const Error& error) {
      log::warning("{}", error.what());
    }
    throw;
  }
  peers_->replace(next, name_rules(next));
  workers_->set_allow_public_plaintext(next.allow_public_plaintext);
  workers_->set_mtu(mtu.bytes);
  if (!(next.interface.private_key == profile_.interface.private_key))
    workers_->set_private_key(next.interface.private_key);
  workers_->set_peers(peers_->configs());
  profile_ = next;
  wanted_ = wanted;
  mtu_ = mtu;
  const dataplane::Snapshot snapshot = workers_->snapshot();
  remember_endpoints(snapshot);

  look_at_host(snapshot);
  look_at_forwarding();
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, loop_.now());
  const Shown shown = std::exchange(shown_, shown_of(seen, assessment, loop_.now()));
  if (shown_.health != shown.health || shown_.codes != shown.codes) log_health(assessment);
  log_lost_offloads(shown.offloads, shown_.offloads);
  plan_look(loop_.now());  // which asks for the names of new peers
  give_back_freed_memory();
}

void Running::apply_to_host(const config::Interface& settings, const HostConfig& wanted,
                            std::uint32_t mtu, const HostConfig& former) {
  kill_switch_.replace(wanted);
  configure_interface(netlink_, index_, settings, wanted, mtu, &former.addresses);
  policy_routing_->replace(wanted);
  if (wanted.masquerade) masquerade_->replace(true);  // before anything is forwarded
  forwarding_->replace(forwarding_interfaces(wanted));
  if (!wanted.masquerade) masquerade_->replace(false);
}

Status Running::status() {
  const dataplane::Snapshot snapshot = workers_->snapshot();
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, BootClock::now());
  Status status = status_of(profile_, wanted_, seen, assessment, snapshot);
  status.profile_time_usec = profile_.modified_usec;
  status.pid = static_cast<std::uint32_t>(::getpid());
  status.since_usec = unix_usec(since_);
  status.interface_index = index_;
  status.listen_port = port_;
  status.fwmark = mark_;
  status.table = table_of(wanted_, mark_);
  status.mtu = mtu_.bytes;
  status.mtu_derivation = mtu_.derivation;
  status.masquerade = masquerade_->installed();
  for (std::size_t i = 0; i < status.peers.size(); ++i)
    status.peers[i].endpoint_source = peers_->source_of(i, status.peers[i].endpoint);
  return status;
}

bool Running::heard() const {
  const dataplane::Snapshot snapshot = workers_->snapshot();
  const bool encrypted = profile_.encryption == config::Encryption::kWireguard;
  return std::ranges::any_of(snapshot.peers, [&](const dataplane::Snapshot::PeerState& peer) {
    return encrypted ? peer.handshakes.last != Instant{} : peer.traffic.last_rx != Instant{};
  });
}

config::Dns Running::dns() const {
  const std::vector<PeerFacts> known = peers_->facts(workers_->snapshot());
  const bool somebody_to_ask =
      std::ranges::any_of(known, [](const PeerFacts& peer) { return peer.endpoint.has_value(); });
  return somebody_to_ask ? profile_.interface.dns : config::Dns{};
}

void Running::set_dns_failure(std::string failure) {
  if (failure == dns_failure_) return;
  dns_failure_ = std::move(failure);
  look();
}

void Running::ask_alive(std::function<void()> alive) {
  alive_ = std::move(alive);
  workers_->ask_alive();
}

void Running::release() {
  remember_endpoints(workers_->snapshot());
  handover_.release();
  namespaces_.release();
  kill_switch_.release();
  policy_routing_->release();
  forwarding_->release();
  masquerade_->release();
}

UniqueFd Running::capture(const CaptureOptions& options) {
  if (options.secrets && profile_.encryption == config::Encryption::kNone)
    throw Error(ErrorKind::kInvalidArguments, "{} is not encrypted: it has no secrets",
                profile_.name);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno(errno, "make a pipe for the capture");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  if (::fcntl(writer.get(), F_SETFL, O_NONBLOCK) != 0)
    throw_errno(errno, "make a pipe for the capture");
  // A smaller pipe only loses more when its reader is slow.
  [[maybe_unused]] const int size = ::fcntl(writer.get(), F_SETPIPE_SZ, kCapturePipeBytes);
  const dataplane::CaptureOptions wanted{options.snaplen, options.inner, options.outer,
                                         options.secrets};
  if (!workers_->add_capture(std::move(writer), wanted))
    throw Error(ErrorKind::kFailed, "{} captures of {} run already; end one of them",
                dataplane::kMaxCaptures, profile_.name);
  return reader;
}

void Running::inject(std::span<const std::uint8_t> bytes, std::function<void(int)> done) {
  if (bytes.empty() || bytes.size() > kLargestInjected)
    throw Error(ErrorKind::kInvalidArguments, "a packet of {} bytes; 1 to {} can be injected",
                bytes.size(), kLargestInjected);
  const std::uint64_t token = next_token_++;
  injections_.emplace(token, std::move(done));
  workers_->inject({bytes.begin(), bytes.end()}, token);
}

}  // namespace vpntun::session
