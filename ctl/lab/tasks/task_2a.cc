// Task 2a: the kernel names the interface, and makes it DOWN and without an address.
#include "ctl/lab/tasks/tasks.h"

namespace vpntun::lab {
namespace {

ClientProfile bare(const std::string& name) {
  ClientProfile profile;
  profile.interface = name;
  profile.addresses.clear();
  profile.up = false;
  profile.peer = false;
  return profile;
}

void show_interface(Stage& stage, const std::string& name) {
  stage.story().show(stage.run({"ip", "address", "show", "dev", name}, Host::kU).text);
}

}  // namespace

void task_2a(Stage& stage) {
  Story& story = stage.story();
  story.step("An interface of the name pattern tun%d");
  stage.configure(bare("tun%d"));
  stage.start_tunnel(kClientTunnel);
  stage.require("U has an interface tun0", stage.link(Host::kU, "tun0").has_value());
  show_interface(stage, "tun0");
  story.say(
      "vpntund opened /dev/net/tun and asked for the pattern; the kernel put the first free number "
      "in place of %d.");

  story.step("The same with zhang%d, as a learner puts his own name there");
  stage.stop_tunnel(kClientTunnel);
  stage.require("tun0 went with the program that had it open", !stage.link(Host::kU, "tun0"));
  stage.configure(bare("zhang%d"));
  stage.start_tunnel(kClientTunnel);
  const std::optional<os::Link> link = stage.link(Host::kU, "zhang0");
  stage.require("U has an interface zhang0", link.has_value());
  show_interface(stage, "zhang0");
  stage.require("it is DOWN", !link->up);
  stage.require("it has no address", stage.addresses(Host::kU, "zhang0").empty());
  story.say(
      "A new TUN interface is only a name. Nothing can be sent through it before it has an address "
      "and is up: task 2b.");
}

}  // namespace vpntun::lab
