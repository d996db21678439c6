// Task 2d: what the program writes into the TUN interface, the kernel receives, whatever it is.
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

void inject(Stage& stage, const std::vector<std::string>& what) {
  std::vector<std::string> arguments = {"inject", kClientTunnel};
  arguments.insert(arguments.end(), what.begin(), what.end());
  const Output output = stage.vpnctl(arguments);
  std::string command = "$ vpnctl";
  for (const std::string& argument : arguments) command += " " + argument;
  stage.story().show(command + "\n" + output.text);
  if (output.code != 0) throw Error(ErrorKind::kFailed, "{}: {}", command, output.text);
}

}  // namespace

void task_2d(Stage& stage) {
  Story& story = stage.story();
  ClientProfile profile;
  profile.peer = false;
  stage.configure(profile);
  story.step("tun0 with 192.168.53.99/24");
  stage.start_tunnel(kClientTunnel);

  story.step("Write a packet with a source nobody has: 1.2.3.4");
  inject(stage, {"--icmp", "1.2.3.4", "192.168.53.99"});
  stage.observe_packet("the crafted packet arrives on tun0", Host::kU, "tun0", Way::kIn,
                       echo_request("1.2.3.4", kUTunnel));
  story.show(stage.route_text(Host::kU, "1.2.3.4"));
  story.say(
      "The kernel takes it for a packet from a network behind tun0: whoever may write into the "
      "interface may "
      "claim any source. U would even answer, but has no route to 1.2.3.4.");

  story.step("Write five bytes that are no packet: evian");
  inject(stage, {"--text", "evian"});
  Pattern evian;
  evian.what = Pattern::What::kBytes;
  evian.bytes = "evian";
  stage.observe_packet("the five bytes appear on tun0, as a broken packet", Host::kU, "tun0",
                       Way::kIn, evian);
  story.say(
      "The kernel looks at the first half byte for the IP version: 'e' is 0x65, so it takes this "
      "for IPv6, "
      "finds less than a header, and drops it.");

  story.step("Nothing broke");
  const Output status = stage.vpnctl({"status", kClientTunnel});
  stage.require("the tunnel is running as before", status.code == 0);
  Running pings = stage.start_ping(Host::kU, "192.168.53.1");
  const std::size_t before = stage.captures().mark();
  stage.observe("tun0 still carries packets", [&] {
    return stage.captures().find(Host::kU, "tun0", Way::kOut,
                                 echo_request(kUTunnel, "192.168.53.1"), before) != nullptr;
  });
}

}  // namespace vpntun::lab
