// Task 5 again, encrypted: what is read on the wire between U and the VPN server in a plain tunnel
// is not there in one with WireGuard, while U and V notice no difference.
#include <string>
#include <string_view>

#include "ctl/lab/tasks/login_client.h"
#include "ctl/lab/tasks/tasks.h"
#include "packet/describe.h"

namespace vpntun::lab {
namespace {

constexpr std::string_view kSecret = "hello V, it is U";  // 16 bytes: the most that ping repeats

std::string hexadecimal(std::string_view text) {
  std::string digits;
  for (const char byte : text) digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return digits;
}

void ping_with_secret(Stage& stage) {
  const Ping ping = stage.observe_answer("V answers U", Host::kU, kV, 3, hexadecimal(kSecret));
  stage.require("with ttl 63 as in task 5", ping.ttl == 63);
}

void log_in(Stage& stage) {
  LoginClient login(stage, Host::kU, kV);
  login.log_in("student");
  login.type_line(std::string(kSecret));
  login.expect(std::string(kSecret) + "\r\n");
  stage.require("the login on V answers", true);
}

void start_both(Stage& stage) {
  stage.start_tunnel(kServerTunnelName);
  stage.start_tunnel(kClientTunnel);
}

// How often the text passed on the wire between U and the VPN server, or what holds it did.
std::size_t on_the_wire(Stage& stage, const Pattern& pattern, std::size_t from) {
  std::size_t all = 0;
  for (const Host host : {Host::kU, Host::kServer}) {
    for (const Way way : {Way::kOut, Way::kIn})
      all += stage.captures().count(host, "eth0", way, pattern, from);
  }
  return all;
}

void show_wire(Stage& stage, const std::string& what, Way way, const Pattern& pattern,
               std::size_t from) {
  const Seen seen = stage.observe_packet(what, Host::kU, "eth0", way, pattern, from);
  stage.story().show(packet::hex_dump(seen.ip()));
}

void make_keys(Stage& stage) {
  const auto u = crypto::SecretKey::generate_private();
  const auto server = crypto::SecretKey::generate_private();
  ClientProfile client;
  client.keys = Keys{u, crypto::public_key_of(server)};
  stage.configure(client);
  ServerProfile other;
  other.keys = Keys{server, crypto::public_key_of(u)};
  stage.configure(other);
  stage.story().show(fmt::format("public key of U          {}\npublic key of the server {}\n",
                                 other.keys->other.to_string(), client.keys->other.to_string()));
}

}  // namespace

void task_encrypt(Stage& stage) {
  Story& story = stage.story();
  story.step("The plain tunnel of task 5: U tells V something");
  start_both(stage);
  const std::size_t plain = stage.captures().mark();
  ping_with_secret(stage);
  show_wire(stage, "whoever is between U and the server can read it", Way::kOut,
            containing(kSecret), plain);

  story.step("The same tunnel with keys");
  stage.stop_tunnel(kClientTunnel);
  stage.stop_tunnel(kServerTunnelName);
  make_keys(stage);
  story.say(
      "Each end has a private key of its own, made just now, and the public key of the other. In "
      "the profiles that is encryption = \"wireguard\", private-key and public-key; addresses, "
      "routes and port are as before.");
  start_both(stage);

  story.step("U tells V the same");
  const std::size_t encrypted = stage.captures().mark();
  ping_with_secret(stage);
  log_in(stage);
  stage.observe_packet("V gets it as it was said", Host::kV, "eth0", Way::kIn, containing(kSecret),
                       encrypted);

  story.step("What is on the wire now");
  show_wire(stage, "what U sends is transport data of WireGuard: type 4", Way::kOut,
            wireguard_data(), encrypted);
  show_wire(stage, "and so is what the server sends", Way::kIn, wireguard_data(), encrypted);
  stage.captures().take();
  stage.require(
      fmt::format("the words are in none of the {} datagrams with data that U and the server have "
                  "seen, from ping or login",
                  on_the_wire(stage, wireguard_data(), encrypted)),
      on_the_wire(stage, containing(kSecret), encrypted) == 0);
  story.say(
      "Two things remain to be seen from outside: who talks to whom, and how much. The lengths "
      "are rounded up to 16 bytes inside.");
}

}  // namespace vpntun::lab
