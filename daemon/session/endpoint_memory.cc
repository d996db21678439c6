#include "session/endpoint_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"

namespace vpntun::session {

namespace {

constexpr std::size_t kLargest = 4 << 20;  // bytes: 10,000 peers of 400

bool is_memory(int fd) {
  // Only a memory file has seals; one of ours is not sealed against writing.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) == 0;
}

std::optional<LearnedEndpoint> parse_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || space + 1 == line.size()) return std::nullopt;
  const std::optional<Endpoint> endpoint = Endpoint::parse(line.substr(0, space));
  if (!endpoint || endpoint->port == 0 || endpoint->address.is_unspecified()) return std::nullopt;
  return LearnedEndpoint{std::string(line.substr(space + 1)), *endpoint};
}

}  // namespace

std::string encode(const std::vector<LearnedEndpoint>& learned) {
  std::string text;
  for (const LearnedEndpoint& each : learned)
    if (each.peer.find('\n') == std::string::npos)
      text += each.endpoint.to_string() + " " + each.peer + "\n";
  return text;
}

std::vector<LearnedEndpoint> decode(std::string_view text) {
  std::vector<LearnedEndpoint> learned;
  std::set<std::string> known;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // cut off: not what was written
    std::optional<LearnedEndpoint> each = parse_line(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (each && known.insert(each->peer).second) learned.push_back(*std::move(each));
  }
  return learned;
}

void recall(const std::vector<LearnedEndpoint>& learned, bool allow_public,
            std::vector<dataplane::PeerConfig>& peers) {
  std::map<std::string_view, dataplane::PeerConfig*> learning;
  std::set<Endpoint> taken;
  for (dataplane::PeerConfig& peer : peers) {
    if (peer.learns)
      learning.emplace(peer.name, &peer);
    else if (peer.endpoint)
      taken.insert(*peer.endpoint);
  }
  for (const LearnedEndpoint& each : learned) {
    const auto peer = learning.find(each.peer);
    if (peer == learning.end() || taken.contains(each.endpoint)) continue;
    if (each.endpoint.address.is_public() && !allow_public) continue;
    peer->second->endpoint = each.endpoint;
  }
}

EndpointMemory EndpointMemory::create() {
  UniqueFd fd(::memfd_create("vpntun-endpoints", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) throw_errno(errno, "make the memory of endpoints");
  return EndpointMemory(std::move(fd));
}

EndpointMemory EndpointMemory::adopt(UniqueFd& fd) {
  struct stat info {};
  if (!is_memory(fd.get()) || ::fstat(fd.get(), &info) != 0)
    throw Error(ErrorKind::kFailed, "it is no memory file");
  std::string text(std::min(static_cast<std::size_t>(info.st_size), kLargest), '\0');
  const ssize_t length = ::pread(fd.get(), text.data(), text.size(), 0);
  if (length < 0) throw_errno(errno, "read the memory of endpoints");
  text.resize(static_cast<std::size_t>(length));
  EndpointMemory memory(std::move(fd));
  memory.adopted_ = decode(text);
  memory.size_ = text.size();
  return memory;
}

// In one call, so that whoever ends us in between leaves the old text or the new one; what the old
// one was longer by becomes empty lines.
void EndpointMemory::write(const std::vector<LearnedEndpoint>& learned) noexcept {
  std::string text = encode(learned);
  text.resize(std::max(text.size(), size_), '\n');
  if (text.size() > kLargest) return;
  const ssize_t written = ::pwrite(fd_.get(), text.data(), text.size(), 0);
  if (written > 0) size_ = std::max(size_, static_cast<std::size_t>(written));
}

}  // namespace vpntun::session
