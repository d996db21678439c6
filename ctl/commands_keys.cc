// genkey, genpsk, pubkey: as those of wg(8).
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "ctl/commands.h"
#include "ctl/profile_file.h"

namespace vpntun::ctl {
namespace {

int print_key(const crypto::SecretKey& key, const Console& console) {
  warn_of_readers(console);
  std::string text = key.expose_text();
  console.out << text << '\n' << std::flush;
  crypto::wipe(text);
  return 0;
}

}  // namespace

void warn_of_readers(const Console& console) {
  struct stat output {};
  if (::fstat(STDOUT_FILENO, &output) == 0 && S_ISREG(output.st_mode) &&
      (output.st_mode & S_IRWXO) != 0)
    console.err << "Warning: writing to world accessible file.\n"
                   "Consider setting the umask to 077 and trying again.\n"
                << std::flush;
}

int genkey(const Options&, const Console& console) {
  return print_key(crypto::SecretKey::generate_private(), console);
}

int genpsk(const Options&, const Console& console) {
  return print_key(crypto::SecretKey::generate_preshared(), console);
}

int pubkey(const Options&, const Console& console) {
  std::string text = read_text("-");
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  const auto key =
      begin == std::string::npos
          ? std::nullopt
          : crypto::SecretKey::parse(std::string_view(text).substr(begin, end + 1 - begin));
  crypto::wipe(text);
  if (!key)
    throw Failure(1, "standard input is no private key",
                  "A key is 44 characters of base64: vpnctl genkey | vpnctl pubkey");
  console.out << crypto::public_key_of(*key).to_string() << '\n' << std::flush;
  return 0;
}

}  // namespace vpntun::ctl
