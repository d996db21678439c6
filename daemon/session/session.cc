#include "session/session.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/ranges.h>

#include <array>
#include <cerrno>
#include <map>
#include <utility>
#include <variant>

#include "base/log.h"
#include "dataplane/worker.h"
#include "os/monitor.h"
#include "os/sysctl.h"
#include "os/tun.h"
#include "os/udp.h"
#include "session/host_changes.h"
#include "session/host_config.h"
#include "session/interface.h"
#include "session/peers.h"

namespace vpntun::session {

namespace {

constexpr Duration kBusyInterval = std::chrono::seconds(1);  // between two looks at the counters
constexpr Duration kIdleInterval = std::chrono::seconds(5);  // when nothing moved at the last look
constexpr Duration kNoticeDelay = std::chrono::milliseconds(50);  // notices come in bursts
constexpr int kCapturePipeBytes = 1 << 20;
constexpr std::size_t kLargestInjected = 65535;  // bytes

std::uint64_t unix_usec(std::chrono::system_clock::time_point when) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

std::uint64_t unix_usec(Instant when) {
  if (when == Instant{}) return 0;
  return unix_usec(std::chrono::time_point_cast<std::chrono::system_clock::duration>(
      std::chrono::system_clock::now() - (BootClock::now() - when)));
}

std::uint64_t modification_usec(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_mtim.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(info.st_mtim.tv_nsec) / 1000;
}

std::vector<std::string> texts_of(const std::vector<IpPrefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const IpPrefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return texts;
}

Traffic traffic_of(const dataplane::Traffic& traffic) {
  return {traffic.rx_packets, traffic.rx_bytes, traffic.tx_packets, traffic.tx_bytes};
}

// A question to the kernel that failed is no reason to end a tunnel that works.
template <typename Work>
void or_warn(Work work) {
  try {
    work();
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
}

// What on_changed() is about: reasons by their code, since their text may carry a running time.
struct Shown {
  struct Peer {
    Health health = Health::kUnknown;
    std::string code;
    std::optional<Endpoint> endpoint;
    bool operator==(const Peer&) const = default;
  };
  Health health = Health::kUnknown;
  std::vector<std::string> codes;
  std::vector<Peer> peers;
  bool operator==(const Shown&) const = default;
};

Shown shown_of(const Facts& facts, const Assessment& assessment) {
  Shown shown;
  shown.health = assessment.health;
  for (const Reason& finding : assessment.findings) shown.codes.push_back(finding.code);
  for (std::size_t i = 0; i < facts.peers.size(); ++i)
    shown.peers.push_back(
        {assessment.peers[i].health, assessment.peers[i].reason.code, facts.peers[i].endpoint});
  return shown;
}

}  // namespace

// In build order; what comes later is taken down first.
struct Session::Members {
  Members(config::Profile its_profile, service::Loop& its_loop);
  // The loop calls back into this object.
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  void bring_up();
  void start_worker(os::Tun tun, os::UdpSocket socket);
  void announce() const;
  void look_at_host();
  void look();
  void plan_look(Instant when);
  void look_at_host_soon();
  void take_events();
  void take_notices();
  void break_with(const Error& error);
  Facts facts(const dataplane::Snapshot& snapshot);
  Status status();

  const config::Profile profile;
  service::Loop& loop;
  const HostConfig wanted;
  const std::uint64_t profile_time_usec;
  const std::uint64_t since_usec;

  Namespaces namespaces;
  os::NetlinkSocket netlink;  // of the interface's namespace
  std::string interface;
  unsigned index = 0;
  std::uint16_t port = 0;
  IpAddress outer_source;
  Mtu mtu;
  std::optional<Peers> peers;
  std::unique_ptr<dataplane::Worker> worker;  // owns interface and UDP socket
  std::optional<Forwarding> forwarding;
  std::optional<Masquerade> masquerade;
  std::optional<os::Monitor> monitor;

  bool host_changed = false;  // look_at_host() is due at the next look
  Instant next_look{};
  HostDrift drift;
  std::vector<bool> through_tunnel;  // by peer: its endpoint's route leads into the tunnel
  Shown shown;
  bool broken_told = false;
  std::uint64_t next_token = 1;
  std::map<std::uint64_t, std::function<void(int)>> injections;
  std::function<void()> changed;
  std::function<void(const Error&)> broken;

  service::EventSource worker_source;
  service::EventSource monitor_source;
  service::EventSource timer;
};

Session::Members::Members(config::Profile its_profile, service::Loop& its_loop)
    : profile(std::move(its_profile)),
      loop(its_loop),
      wanted(host_config_of(profile)),
      profile_time_usec(modification_usec(profile.path)),
      since_usec(unix_usec(std::chrono::system_clock::now())),
      namespaces(profile.netns),
      netlink(namespaces.at_interface([] { return os::NetlinkSocket(); })) {
  bring_up();
  announce();
  look_at_host();
  const Facts seen = facts(worker->snapshot());
  shown = shown_of(seen, assess(seen, loop.now()));
  next_look = loop.now();
  timer = loop.add_timer(next_look, [this] { look(); });
}

void Session::Members::bring_up() {
  os::UdpSocket socket = namespaces.at_socket([this] {
    os::NetlinkSocket at_socket;
    mtu = choose_mtu(at_socket, profile);
    outer_source = choose_source(at_socket, profile);
    return os::UdpSocket::bind(profile.interface.listen_port);
  });
  os::Tun tun = namespaces.at_interface([this] {
    return os::Tun::open(profile.interface.name, profile.kind == config::Kind::kTap
                                                     ? os::TunKind::kTap
                                                     : os::TunKind::kTun);
  });
  interface = tun.name();
  index = tun.index();
  port = socket.local_port();
  configure_interface(netlink, index, profile.interface, wanted, mtu.bytes);

  NameRules rules;
  rules.allow_public = profile.allow_public_plaintext;
  rules.ipv6 = socket.family() == Family::kIpv6;
  peers.emplace(profile, loop, rules, namespaces.lookup_at_socket(),
                [this](std::size_t peer, const std::optional<Endpoint>& endpoint) {
                  worker->set_endpoint(static_cast<packet::PeerIndex>(peer), endpoint);
                  look_at_host();
                  look();
                });
  start_worker(std::move(tun), std::move(socket));

  std::vector<std::string> forwarding_interfaces = wanted.forwarding_interfaces;
  if (wanted.forwarding) forwarding_interfaces.push_back(interface);
  forwarding.emplace(netlink, profile.name, forwarding_interfaces);
  masquerade.emplace(namespaces, profile.name, interface, wanted.masquerade);
  namespaces.at_interface([this] { monitor.emplace(); });
  monitor_source = loop.add_io(monitor->fd(), EPOLLIN, [this](std::uint32_t) { take_notices(); });
}

void Session::Members::start_worker(os::Tun tun, os::UdpSocket socket) {
  dataplane::WorkerOptions options;
  options.frames = profile.kind == config::Kind::kTap;
  options.allow_public_plaintext = profile.allow_public_plaintext;
  options.listen_port = port;
  options.local = outer_source;
  worker = std::make_unique<dataplane::Worker>(std::make_unique<os::Tun>(std::move(tun)),
                                               std::make_unique<os::UdpSocket>(std::move(socket)),
                                               std::move(options));
  worker->set_peers(peers->configs());
  worker->start();
  worker_source =
      loop.add_io(worker->event_fd(), EPOLLIN, [this](std::uint32_t) { take_events(); });
}

void Session::Members::announce() const {
  const std::string where = profile.netns.mode == config::Netns::Mode::kNone
                                ? std::string()
                                : fmt::format(" in network namespace {}", profile.netns.name);
  log::notice("{}{} is {}: addresses [{}], routes [{}], mtu {}, UDP port {}", interface, where,
              wanted.up ? "up" : "there, down as the profile says",
              fmt::join(texts_of(wanted.addresses), ", "), fmt::join(texts_of(wanted.routes), ", "),
              mtu.derivation, port);
  if (profile.encryption == config::Encryption::kNone)
    log::warning(
        "NOT ENCRYPTED: packets travel readable and anybody can send some; for labs and trusted "
        "networks only");
  if (!masquerade->failure().empty())
    log::warning("masquerading could not be set up: {}", masquerade->failure());
}

// What the kernel reports changes of: read again after a notice, not at every look.
void Session::Members::look_at_host() {
  or_warn([this] { drift = drift_of(wanted, look_at_interface(netlink, index)); });
  through_tunnel.assign(profile.peers.size(), false);
  if (!namespaces.together()) return;
  const std::vector<PeerFacts> known = peers->facts(worker->snapshot());
  or_warn([&] {
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (!known[i].endpoint) continue;
      os::RouteQuery query;
      query.destination = known[i].endpoint->address;
      const os::RouteAnswer answer = os::lookup_route(netlink, query);
      through_tunnel[i] = answer.error_number == 0 && answer.index == index;
    }
  });
}

Facts Session::Members::facts(const dataplane::Snapshot& snapshot) {
  Facts facts;
  facts.tunnel = profile.name;
  facts.interface = interface;
  facts.frames = profile.kind == config::Kind::kTap;
  facts.drift = drift;
  or_warn([&] {
    facts.forwarding_off = forwarding->off();
    if (wanted.forwarding_v6)
      facts.forwarding_v6_off = !namespaces.at_interface([] { return os::ipv6_forwarding(); });
  });
  facts.masquerade_failure = masquerade->failure();
  facts.peers = peers->facts(snapshot);
  for (std::size_t i = 0; i < facts.peers.size(); ++i)
    facts.peers[i].endpoint_through_tunnel = through_tunnel[i];
  return facts;
}

// Takes in the counters, judges, tells if something changed, and plans the next look.
void Session::Members::look() {
  const Instant now = loop.now();
  if (std::exchange(host_changed, false)) look_at_host();
  const dataplane::Snapshot snapshot = worker->snapshot();
  const bool active = peers->advance(snapshot, now);
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, now);
  plan_look(now + (active ? kBusyInterval : kIdleInterval));

  Shown next = shown_of(seen, assessment);
  if (next == shown) return;
  if (next.health != shown.health || next.codes != shown.codes)
    log::notice("health: {}{}{}", to_string(assessment.health),
                assessment.findings.empty() ? "" : ", ", assessment.reason().text);
  for (std::size_t i = 0; i < seen.peers.size(); ++i)
    if (!profile.peers[i].endpoint && next.peers[i].endpoint &&
        next.peers[i].endpoint != shown.peers[i].endpoint)
      log::notice("peer {} is at {}", seen.peers[i].name, next.peers[i].endpoint->to_string());
  shown = std::move(next);
  if (changed) changed();
}

void Session::Members::plan_look(Instant when) {
  next_look = when;
  loop.set_timer(timer, when);
}

// One look for a burst. A look that is due is not put off: others could do that for ever, by
// changes of routes or by datagrams from ever new places.
void Session::Members::look_at_host_soon() {
  host_changed = true;
  const Instant soon = loop.now() + kNoticeDelay;
  if (soon < next_look) plan_look(soon);
}

void Session::Members::take_events() {
  for (dataplane::Event& event : worker->take_events()) {
    if (std::holds_alternative<dataplane::EndpointMoved>(event)) {
      look_at_host_soon();
    } else if (std::holds_alternative<dataplane::InsideGone>(event)) {
      break_with(Error(ErrorKind::kFailed, "the interface {} was deleted", interface));
    } else if (const auto* injected = std::get_if<dataplane::InjectDone>(&event)) {
      const auto waiting = injections.extract(injected->token);
      if (waiting) waiting.mapped()(injected->error_number);
    } else if (const auto* ended = std::get_if<dataplane::CaptureEnded>(&event)) {
      log::info("capture ended, {} records lost", ended->lost);
    }
  }
}

void Session::Members::take_notices() {
  bool removed = false;
  for (const os::Notice& notice : monitor->take())
    if (const auto* link = std::get_if<os::LinkNotice>(&notice))
      removed = removed || (link->removed && link->link.index == index);
  if (removed)
    return break_with(Error(ErrorKind::kFailed, "the interface {} was deleted", interface));
  look_at_host_soon();
}

void Session::Members::break_with(const Error& error) {
  if (std::exchange(broken_told, true)) return;
  log::error("{}", error.what());
  if (broken) broken(error);
}

Status Session::Members::status() {
  const dataplane::Snapshot snapshot = worker->snapshot();
  const Facts seen = facts(snapshot);
  const Assessment assessment = assess(seen, BootClock::now());
  Status status;
  status.name = profile.name;
  status.description = profile.description;
  status.profile_path = profile.path;
  status.profile_time_usec = profile_time_usec;
  status.pid = static_cast<std::uint32_t>(::getpid());
  status.since_usec = since_usec;
  status.interface = interface;
  status.interface_index = index;
  status.netns = profile.netns.name;
  status.kind = profile.kind;
  status.encryption = profile.encryption;
  status.addresses = texts_of(wanted.addresses);
  status.routes = texts_of(wanted.routes);
  status.listen_port = port;
  status.mtu = mtu.bytes;
  status.mtu_derivation = mtu.derivation;
  status.forwarding = wanted.forwarding && seen.forwarding_off.empty();
  status.masquerade = masquerade->installed();
  status.health = assessment.health;
  status.reason = assessment.reason();
  status.findings = assessment.findings;
  status.traffic = traffic_of(snapshot.traffic);
  for (const dataplane::Drop& drop : snapshot.drops)
    status.drops.push_back({std::string(dataplane::code(drop.reason)),
                            std::string(dataplane::text(drop.reason)), drop.packets, drop.last,
                            unix_usec(drop.last_time)});
  for (std::size_t i = 0; i < seen.peers.size(); ++i) {
    const config::Peer& settings = profile.peers[i];
    PeerStatus& peer = status.peers.emplace_back();
    peer.name = settings.name;
    if (settings.endpoint) peer.configured_endpoint = settings.endpoint->to_string();
    peer.endpoint = seen.peers[i].endpoint;
    peer.endpoint_source = peers->source_of(i, peer.endpoint.has_value());
    peer.allowed_ips = settings.allowed_ips;
    peer.traffic = traffic_of(snapshot.peers[i].traffic);
    peer.last_received_usec = unix_usec(snapshot.peers[i].traffic.last_rx);
    peer.last_sent_usec = unix_usec(snapshot.peers[i].traffic.last_tx);
    peer.health = assessment.peers[i].health;
    peer.reason = assessment.peers[i].reason;
  }
  return status;
}

Session::Session(config::Profile profile, service::Loop& loop)
    : members_(std::make_unique<Members>(std::move(profile), loop)) {}

Session::~Session() = default;

const config::Profile& Session::profile() const noexcept {
  return members_->profile;
}

Status Session::status() const {
  return members_->status();
}

void Session::on_changed(std::function<void()> changed) {
  members_->changed = std::move(changed);
}

void Session::on_broken(std::function<void(const Error&)> broken) {
  members_->broken = std::move(broken);
}

UniqueFd Session::capture(const CaptureOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno(errno, "make a pipe for the capture");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  if (::fcntl(writer.get(), F_SETFL, O_NONBLOCK) != 0)
    throw_errno(errno, "make a pipe for the capture");
  // A smaller pipe only loses more when its reader is slow.
  [[maybe_unused]] const int size = ::fcntl(writer.get(), F_SETPIPE_SZ, kCapturePipeBytes);
  const dataplane::CaptureOptions wanted{options.snaplen, options.inner, options.outer};
  if (!members_->worker->add_capture(std::move(writer), wanted))
    throw Error(ErrorKind::kFailed, "{} captures of {} run already; end one of them",
                dataplane::kMaxCaptures, members_->profile.name);
  return reader;
}

void Session::inject(std::span<const std::uint8_t> bytes, std::function<void(int)> done) {
  if (bytes.empty() || bytes.size() > kLargestInjected)
    throw Error(ErrorKind::kInvalidArguments, "a packet of {} bytes; 1 to {} can be injected",
                bytes.size(), kLargestInjected);
  const std::uint64_t token = members_->next_token++;
  members_->injections.emplace(token, std::move(done));
  members_->worker->inject({bytes.begin(), bytes.end()}, token);
}

}  // namespace vpntun::session
