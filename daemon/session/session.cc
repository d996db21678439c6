#include "session/session.h"

#include <utility>

#include "base/log.h"
#include "session/handover.h"
#include "session/host_changes.h"
#include "session/running.h"

namespace vpntun::session {
Session::Session(config::Profile profile, service::Loop& loop, service::FdStore store)
    : running_(std::make_unique<Running>(std::move(profile), loop, std::move(store))) {}

Session::~Session() = default;

const config::Profile& Session::profile() const noexcept {
  return running_->profile();
}

ReloadResult Session::reload(const config::Profile& profile) {
  return running_->reload(profile);
}

Status Session::status() const {
  return running_->status();
}

void Session::on_changed(std::function<void()> changed) {
  running_->on_changed(std::move(changed));
}

void Session::on_broken(std::function<void(const Error&)> broken) {
  running_->on_broken(std::move(broken));
}

bool Session::took_over() const {
  return running_->took_over();
}

bool Session::was_ready() const {
  return running_->was_ready();
}

void Session::remember_ready() {
  running_->remember_ready();
}

bool Session::heard() const {
  return running_->heard();
}

config::Dns Session::dns() const {
  return running_->dns();
}

void Session::set_dns_failure(std::string failure) {
  running_->set_dns_failure(std::move(failure));
}

void Session::ask_alive(std::function<void()> alive) {
  running_->ask_alive(std::move(alive));
}

void Session::release() {
  running_->release();
}

UniqueFd Session::capture(const CaptureOptions& options) {
  return running_->capture(options);
}

void Session::inject(std::span<const std::uint8_t> bytes, std::function<void(int)> done) {
  running_->inject(bytes, std::move(done));
}

void give_up(const std::string& tunnel, service::FdStore store) noexcept {
  try {
    const Handover left(std::move(store));
    std::optional<os::Netns> netns = left.netns_before();
    give_up_leftovers(netns ? *std::move(netns) : os::Netns::current(), tunnel);
  } catch (const std::exception& error) {
    log::warning("give up what an earlier session left: {}", error.what());
  }
}

}  // namespace vpntun::session
