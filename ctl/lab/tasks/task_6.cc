// Task 6: a TCP connection outlives its tunnel.
#include <sstream>

#include "ctl/lab/folder.h"
#include "ctl/lab/tasks/login_client.h"
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

// Whether V's kernel holds an established connection of the login service (/proc/net/tcp: state
// 01).
bool established_on_v(Stage& stage) {
  const std::string table =
      stage.on(Host::kV, [](os::NetlinkSocket&) { return read_file("/proc/thread-self/net/tcp"); });
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state;
    fields >> slot >> local >> remote >> state;
    if (local.ends_with(fmt::format(":{:04X}", kLoginPort)) && state == "01") return true;
  }
  return false;
}

std::string facts_text(const TcpFacts& facts) {
  return fmt::format(
      "TCP on U: {}, {} bytes not acknowledged, {} retransmission{} so far, next after {} ms",
      facts.established ? "ESTABLISHED" : "not established", facts.unacknowledged,
      facts.retransmissions, facts.retransmissions == 1 ? "" : "s",
      std::chrono::duration_cast<std::chrono::milliseconds>(facts.timeout).count());
}

void check_open(Stage& stage, const LoginClient& login) {
  stage.require("the connection stays open on both ends: ESTABLISHED on U and on V",
                login.facts().established && established_on_v(stage));
}

// Stops one end, types, and brings the end back.
void break_and_mend(Stage& stage, LoginClient& login, const std::string& tunnel,
                    const std::string& line, const std::function<void()>& meanwhile) {
  Story& story = stage.story();
  stage.stop_tunnel(tunnel);
  story.show("$ vpnctl stop " + tunnel);
  login.type_line(line);
  story.show(fmt::format("typed: {}", line));
  stage.wait_until("the typed line waits unacknowledged",
                   [&] { return login.facts().unacknowledged > 0; });
  meanwhile();
  stage.linger(std::chrono::seconds(1));
  check_open(stage, login);
  stage.require("nothing of it came back", login.received().find(line) == std::string::npos);
  story.show(facts_text(login.facts()));

  stage.start_tunnel(tunnel);
  login.expect(line);
  stage.require("the typed bytes arrive once the tunnel is back, and V answers them", true);
  story.show(facts_text(login.facts()));
}

}  // namespace

void task_6(Stage& stage) {
  Story& story = stage.story();
  story.step("The tunnel of task 5, and a login from U to V");
  stage.start_tunnel(kServerTunnelName);
  stage.start_tunnel(kClientTunnel);
  LoginClient login(stage, Host::kU, kV);
  login.log_in("student");
  login.type_line("before the break");
  login.expect("before the break");
  stage.require("the login works", true);

  story.step("The server's end of the tunnel is stopped, and a line typed");
  const std::size_t before = stage.captures().mark();
  const Pattern typed{Pattern::What::kTcpWithPayload, std::string(kUTunnel), std::string(kV)};
  break_and_mend(stage, login, kServerTunnelName, "typed while the server was away", [&] {
    stage.observe("U sends the line again and again into its tun0", [&] {
      return stage.captures().count(Host::kU, "tun0", Way::kOut, typed, before) >= 3;
    });
  });
  story.say(
      "TCP knows nothing of tunnels. No acknowledgement came, so it waited and sent again, twice "
      "as long each "
      "time, and delivered when the way was back.");

  story.step("The same with U's end: now the interface with U's own address is gone");
  break_and_mend(stage, login, kClientTunnel, "typed while the client was away", [&] {
    stage.require("U has no tun0 and no address 192.168.53.99", !stage.link(Host::kU, "tun0"));
    story.show(stage.route_text(Host::kU, kV));
  });
  story.say(
      "There was not even an interface to send from: each attempt failed inside U. The connection "
      "is a state in "
      "two kernels, and both kept it; the same address came back in time, and so did the bytes.");
}

}  // namespace vpntun::lab
