#include "ctl/lab/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "ctl/lab/enter.h"
#include "os/address.h"

namespace vpntun::lab {
namespace {

// Longer than any program of a task may take; a hanging one fails the task.
constexpr Duration kProgramWithin = std::chrono::seconds(60);

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed) throw Error(ErrorKind::kInvalidArguments, "{} is no address", text);
  return *parsed;
}

// The number in front of, or behind, a mark of ping's output; 0 when the mark is not there.
int number_behind(const std::string& text, std::string_view mark) {
  const std::size_t at = text.rfind(mark);
  return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + mark.size());
}

int number_before(const std::string& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return 0;
  std::size_t begin = at;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(text[begin - 1])) != 0) --begin;
  return std::atoi(text.c_str() + begin);
}

int answers_in(const std::string& text) {
  int all = 0;
  for (std::size_t at = 0; (at = text.find("ttl=", at)) != std::string::npos; ++at) ++all;
  return all;
}

// Without the empty lines and the "---" line.
std::string shortened(const std::string& text) {
  std::string all;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (!line.empty() && !line.starts_with("---") && !line.starts_with("PING") &&
        !line.starts_with("rtt"))
      all += std::string(line) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

}  // namespace

const std::string& Running::text() {
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t length = ::read(output_.get(), part.data(), part.size());
    if (length <= 0) return text_;
    text_.append(part.data(), static_cast<std::size_t>(length));
  }
}

Stage::Stage(Folder folder, LabState state, TaskOptions options)
    : folder_(std::move(folder)),
      state_(std::move(state)),
      options_(std::move(options)),
      story_(options_.step) {}

void Stage::reset() {
  for (const char* name : {kClientTunnel, kServerTunnelName}) stop_tunnel(name);
  write_base_profiles(folder_.profiles());
  reset_topology();
  for (const Host host : kHosts) captures_.open(host);
}

void Stage::turn(Duration at_most) {
  std::vector<pollfd> waits;
  for (const auto& [fd, readable] : services_) waits.push_back({fd, POLLIN, 0});
  for (const int fd : captures_.fds()) waits.push_back({fd, POLLIN, 0});
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(at_most);
  ::poll(waits.data(), waits.size(), static_cast<int>(time.count()));
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (waits[i].revents != 0) services_[i].second();
  }
  captures_.take();
}

bool Stage::comes(const std::function<bool()>& seen, Duration within) {
  const Instant deadline = BootClock::now() + within;
  for (;;) {
    // Before the look: we may have been asleep, the machine with us, and what was awaited came.
    const bool is_last = BootClock::now() > deadline;
    if (seen()) return true;
    if (is_last) return false;
    turn(std::chrono::milliseconds(20));
  }
}

void Stage::wait_until(std::string_view what, const std::function<bool()>& seen, Duration within) {
  if (!comes(seen, within)) throw Missing(std::string(what));
}

void Stage::observe(const std::string& what, const std::function<bool()>& seen, Duration within) {
  wait_until(what, seen, within);
  story_.seen(what);
}

void Stage::require(const std::string& what, bool seen) {
  if (!seen) throw Missing(what);
  story_.seen(what);
}

void Stage::linger(Duration time) {
  const Instant end = BootClock::now() + time;
  while (BootClock::now() < end) turn(std::chrono::milliseconds(20));
}

Seen Stage::observe_packet(const std::string& what, Host host, std::string_view interface, Way way,
                           const Pattern& pattern, std::size_t from) {
  const Seen* found = nullptr;
  wait_until(what, [&] {
    found = captures_.find(host, interface, way, pattern, from);
    return found != nullptr;
  });
  story_.seen(what);
  story_.show(found->text());
  return *found;
}

Running Stage::start(const std::vector<std::string>& arguments, std::optional<Host> host) {
  Program program;
  program.arguments = arguments;
  return start(std::move(program), host);
}

Running Stage::start_shell(const std::string& command, Host host) {
  Program program;
  program.arguments = {"/bin/sh", "-c", "exec " + command};
  program.alone = true;
  return start(std::move(program), host);
}

Running Stage::start(Program program, std::optional<Host> host) {
  Pipe pipe = Pipe::make();
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  program.environment = lab_environment(folder_, state_, host ? name_of(*host) : "");
  program.environment["LC_ALL"] = "C";
  program.output = pipe.write.get();
  if (!host) return {Child::start(program), std::move(pipe.read)};
  const os::Netns netns = os::Netns::open(name_of(*host));
  program.netns = netns.fd();
  return {Child::start(program), std::move(pipe.read)};
}

Output Stage::run(const std::vector<std::string>& arguments, std::optional<Host> host) {
  Running running = start(arguments, host);
  wait_until(
      arguments.front() + " ends", [&] { return running.ended(); }, kProgramWithin);
  Output output;
  output.text = running.text();
  output.code = exit_code_of(running.child().wait());
  return output;
}

Output Stage::vpnctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program_path("vpnctl"));
  return run(arguments);
}

Ping Stage::told(Host from, const std::string& what, const std::string& output) {
  Ping ping;
  ping.sent = number_before(output, " packets transmitted");
  ping.received = number_before(output, " received");
  ping.ttl = number_behind(output, "ttl=");
  ping.text = shortened(output);
  story_.show(fmt::format("{}$ ping {}\n{}", name_of(from), what, ping.text));
  return ping;
}

Ping Stage::ping_in_vain(Host from, std::string_view to, int count) {
  const Output output = run(
      {"ping", "-n", "-c", std::to_string(count), "-i", "0.2", "-W", "1", std::string(to)}, from);
  return told(from, std::string(to), output.text);
}

Ping Stage::observe_answer(const std::string& what, Host from, std::string_view to, int count,
                           const std::string& pattern) {
  Running pings = start_ping(from, to, pattern);
  const auto is_done = [&] { return answers_in(pings.text()) >= count || pings.ended(); };
  comes(is_done, kProgramWithin);
  pings.child().signal(SIGINT);  // it sums up
  wait_until("ping ends", [&] { return pings.ended(); });
  Ping answered =
      told(from, (pattern.empty() ? "" : "-p " + pattern + " ") + std::string(to), pings.text());
  require(what, answered.received > 0);
  return answered;
}

Running Stage::start_ping(Host from, std::string_view to, const std::string& pattern) {
  std::vector<std::string> command = {"ping", "-n", "-i", "0.2"};
  if (!pattern.empty()) command.insert(command.end(), {"-p", pattern});
  command.emplace_back(to);
  return start(command, from);
}

void Stage::start_tunnel(const std::string& name) {
  const Output output = vpnctl({"start", name});
  if (output.code != 0) throw Error(ErrorKind::kFailed, "vpnctl start {}: {}", name, output.text);
  for (const Host host : kHosts) captures_.open(host);
  story_.show(fmt::format("$ vpnctl start {}\n{}", name, output.text));
}

void Stage::stop_tunnel(const std::string& name) {
  const Output output = vpnctl({"stop", name});
  if (output.code != 0) throw Error(ErrorKind::kFailed, "vpnctl stop {}: {}", name, output.text);
}

void Stage::configure(const ClientProfile& profile) {
  write_profile(folder_.profiles(), kClientTunnel, to_toml(profile));
}

void Stage::configure(const ServerProfile& profile) {
  write_profile(folder_.profiles(), kServerTunnelName, to_toml(profile));
}

void Stage::serve(int fd, std::function<void()> readable) {
  services_.emplace_back(fd, std::move(readable));
}

void Stage::unserve(int fd) {
  std::erase_if(services_, [&](const auto& service) { return service.first == fd; });
}

std::optional<os::Link> Stage::link(Host host, const std::string& name) {
  return on(host, [&](os::NetlinkSocket& netlink) { return os::find_link(netlink, name); });
}

std::optional<os::Link> Stage::tunnel_link(Host host) {
  const auto links = on(host, [](os::NetlinkSocket& netlink) { return os::list_links(netlink); });
  const auto found = std::find_if(links.begin(), links.end(),
                                  [](const os::Link& link) { return link.kind == "tun"; });
  return found == links.end() ? std::nullopt : std::optional(*found);
}

std::vector<std::string> Stage::addresses(Host host, const std::string& interface) {
  return on(host, [&](os::NetlinkSocket& netlink) {
    const unsigned index = os::get_link(netlink, interface).index;
    std::vector<std::string> all;
    for (const os::InterfaceAddress& one : os::list_addresses(netlink)) {
      if (one.index == index) all.push_back(one.prefix.to_string());
    }
    return all;
  });
}

os::RouteAnswer Stage::route(Host host, std::string_view to, std::string_view from,
                             const std::string& input) {
  return on(host, [&](os::NetlinkSocket& netlink) {
    os::RouteQuery query;
    query.destination = address(to);
    if (!from.empty()) query.source = address(from);
    if (!input.empty()) query.input_index = os::get_link(netlink, input).index;
    return os::lookup_route(netlink, query);
  });
}

std::string Stage::route_text(Host host, std::string_view to, std::string_view from,
                              const std::string& input) {
  std::string question = std::string(to);
  if (!from.empty()) question += fmt::format(" from {}", from);
  if (!input.empty()) question += fmt::format(" arriving on {}", input);
  const os::RouteAnswer answer = route(host, to, from, input);
  if (answer.type == os::RouteType::kLocal)
    return fmt::format("route on {}: {} -> this host itself\n", name_of(host), question);
  if (answer.error_number != 0 || answer.type != os::RouteType::kUnicast) {
    return fmt::format("route on {}: {} -> none ({})\n", name_of(host), question,
                       std::strerror(answer.error_number));
  }
  std::string text = fmt::format("route on {}: {} ->", name_of(host), question);
  if (answer.gateway) text += " via " + answer.gateway->to_string();
  const auto out =
      on(host, [&](os::NetlinkSocket& netlink) { return os::get_link(netlink, answer.index); });
  text += " dev " + out.name;
  if (answer.source && from.empty()) text += ", source " + answer.source->to_string();
  return text + "\n";
}

void Stage::add_route(Host host, std::string_view to, std::string_view gateway_or_interface,
                      std::uint32_t metric) {
  on(host, [&](os::NetlinkSocket& netlink) {
    os::Route wanted;
    wanted.destination = IpPrefix::parse(to).value();
    wanted.protocol = 4;  // static
    wanted.metric = metric;
    if (const auto gateway = IpAddress::parse(gateway_or_interface))
      wanted.gateway = gateway;
    else
      wanted.index = os::get_link(netlink, std::string(gateway_or_interface)).index;
    os::add_route(netlink, wanted);
  });
  story_.show(fmt::format("{}$ ip route add {} {} {}{}", name_of(host), to,
                          IpAddress::parse(gateway_or_interface) ? "via" : "dev",
                          gateway_or_interface,
                          metric == 0 ? "" : fmt::format(" metric {}", metric)));
}

void Stage::remove_route(Host host, std::string_view to) {
  on(host, [&](os::NetlinkSocket& netlink) {
    const IpPrefix destination = IpPrefix::parse(to).value();
    for (const os::Route& route : os::list_routes(netlink)) {
      if (route.destination == destination) os::remove_route(netlink, route);
    }
  });
  story_.show(fmt::format("{}$ ip route del {}", name_of(host), to));
}

std::uint64_t Stage::counter(Host host, std::string_view name) {
  return on(host, [&](os::NetlinkSocket&) {
    const os::Counters counters = os::read_counters();
    const auto found = counters.find(name);
    return found == counters.end() ? std::uint64_t{0} : found->second;
  });
}

}  // namespace vpntun::lab
