// The measure: the loop every tutorial shows, poll, one read and one sendto for each packet. No
// checks at all. bench_plain_loop INTERFACE PORT PEER_IPV4:PORT
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int tun = open("/dev/net/tun", O_RDWR);
  ifreq request{};
  std::strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0) return std::perror("tun"), 1;

  const int udp = socket(AF_INET, SOCK_DGRAM, 0);
  const int buffer = 4 << 20;  // as vpntun asks for
  setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
  setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
  if (bind(udp, reinterpret_cast<sockaddr*>(&here), sizeof(here)) < 0)
    return std::perror("bind"), 1;

  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  char* colon = std::strrchr(argv[3], ':');
  if (colon == nullptr) return 2;
  *colon = '\0';
  inet_pton(AF_INET, argv[3], &peer.sin_addr);
  peer.sin_port = htons(static_cast<std::uint16_t>(std::atoi(colon + 1)));

  static std::array<char, 65536> packet;
  std::array<pollfd, 2> ready{{{tun, POLLIN, 0}, {udp, POLLIN, 0}}};
  for (;;) {
    poll(ready.data(), ready.size(), -1);
    if ((ready[0].revents & POLLIN) != 0) {
      const ssize_t length = read(tun, packet.data(), packet.size());
      if (length > 0)
        sendto(udp, packet.data(), static_cast<std::size_t>(length), 0,
               reinterpret_cast<sockaddr*>(&peer), sizeof(peer));
    }
    if ((ready[1].revents & POLLIN) != 0) {
      const ssize_t length = recv(udp, packet.data(), packet.size(), 0);
      if (length > 0 && write(tun, packet.data(), static_cast<std::size_t>(length)) < 0) continue;
    }
  }
}
