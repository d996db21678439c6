// Values that may stand outside of the profile: endpoints in credentials, keys in files and
// credentials; and who may read a profile in which a key stands nevertheless.
#include <fmt/format.h>

#include "config/document.h"
#include "config/draft.h"
#include "config/secret.h"
#include "config/table_reader.h"
#include "config/value_text.h"
#include "crypto/crypto.h"

namespace vpntun::config {
namespace {

// Whether "@name" is the name of a credential; reported when not.
bool is_well_named(const Located<std::string>& text, Report& report) {
  std::string why = why_no_credential(text.value);
  if (why.empty()) return true;
  report.add(
      Code::kCredentialName, text.spot,
      fmt::format("expected \"@\" and the name of a credential, got {}", in_quotes(text.value)),
      {std::move(why), ""});
  return false;
}

void note_read_later(const Located<std::string>& text, Report& report) {
  report.add(Code::kReadLater, text.spot,
             fmt::format("credential {} is read when the tunnel starts", in_quotes(text.value)),
             {"", unit_setting_of(text.value)});
}

// Says nothing of the content.
std::optional<EndpointDraft> read_endpoint_credential(const Located<std::string>& text,
                                                      Report& report) {
  Parsed<std::string> content = read_credential(text.value);
  if (!content.value) {
    report.add(Code::kCredential, text.spot, fmt::format("no credential {}", in_quotes(text.value)),
               std::move(content.why));
    return std::nullopt;
  }
  Parsed<EndpointSpec> parsed = parse_endpoint(*content.value);
  if (parsed.value) return EndpointDraft{std::move(*parsed.value), text.spot, true};
  report.add(Code::kCredential, text.spot,
             fmt::format("credential {} is no endpoint", in_quotes(text.value)),
             {"", "its content is ADDRESS:PORT, [IPV6]:PORT or NAME:PORT on one line"});
  return std::nullopt;
}

std::optional<EndpointDraft> read_endpoint(const Located<std::string>& text, Reach reach,
                                           Report& report) {
  if (is_credential(text.value)) {
    if (!is_well_named(text, report)) return std::nullopt;
    if (reach == Reach::kCredentials) return read_endpoint_credential(text, report);
    note_read_later(text, report);
    return std::nullopt;
  }
  Parsed<EndpointSpec> parsed = parse_endpoint(text.value);
  if (parsed.value) return EndpointDraft{std::move(*parsed.value), text.spot};
  report.add(Code::kEndpoint, text.spot,
             fmt::format("expected an endpoint, got {}", in_quotes(text.value)),
             std::move(parsed.why));
  return std::nullopt;
}

// A key of any source; nothing of it is part of what is said.
std::optional<crypto::SecretKey> secret_key_of(std::string_view key,
                                               const Located<std::string>& source, Report& report) {
  Parsed<crypto::SecretKey> parsed = parse_secret_key(key);
  if (!parsed.value)
    report.add(Code::kKeySource, source.spot, "expected a key, which is not shown here",
               std::move(parsed.why));
  return parsed.value;
}

std::optional<crypto::SecretKey> read_key_credential(const Located<std::string>& text, Reach reach,
                                                     Report& report) {
  if (!is_well_named(text, report)) return std::nullopt;
  if (reach != Reach::kCredentials) {
    note_read_later(text, report);
    return std::nullopt;
  }
  Parsed<std::string> content = read_credential(text.value);
  if (!content.value) {
    report.add(Code::kCredential, text.spot, fmt::format("no credential {}", in_quotes(text.value)),
               std::move(content.why));
    return std::nullopt;
  }
  auto key = secret_key_of(*content.value, text, report);
  crypto::wipe(*content.value);
  return key;
}

std::optional<crypto::SecretKey> read_key_file(const Located<std::string>& path, Reach reach,
                                               Report& report) {
  if (reach == Reach::kText) return std::nullopt;
  KeyFile file = open_key_file(path.value, reach);
  if (!file.why.empty()) {
    report.add(Code::kKeyFile, path.spot, std::move(file.why));
    return std::nullopt;
  }
  if (!file.content) {
    report.add(Code::kKeyUnread, path.spot,
               "this user cannot read the key, which is not checked therefore");
    return std::nullopt;
  }
  auto key = secret_key_of(*file.content, path, report);
  crypto::wipe(*file.content);
  return key;
}

}  // namespace

void read_endpoints(const TableReader& table, Reach reach, PeerDraft& peer) {
  const auto texts = table.strings("endpoint");
  const Value* value = table.find("endpoint");
  if (value && texts.size() == 1 && value->type == Value::Type::kString && value->text == "learn")
    return;
  for (const auto& text : texts)
    if (auto endpoint = read_endpoint(text, reach, table.report()))
      peer.endpoints.push_back(std::move(*endpoint));
  peer.endpoint_unclear =
      table.has_or_means("endpoint") && (texts.empty() || peer.endpoints.size() < texts.size());
  if (value && value->type == Value::Type::kArray && value->items.empty())
    table.report().add(Code::kEndpoint, table.spot("endpoint"), "expected an endpoint, got none",
                       {"the list is empty", "write \"learn\", or remove the key"});
}

std::optional<crypto::SecretKey> read_secret_key(const TableReader& table, std::string_view key,
                                                 Draft& draft) {
  auto text = table.string(key);
  if (!text) return std::nullopt;
  if (is_credential(text->value)) return read_key_credential(*text, draft.reach, table.report());
  // A key may begin like a path, but no path of that length reads as a key by chance.
  if (text->value.starts_with('/') && !crypto::PublicKey::parse(text->value))
    return read_key_file(*text, draft.reach, table.report());
  if (!draft.inline_secret) draft.inline_secret = text->spot;
  auto secret = secret_key_of(text->value, *text, table.report());
  crypto::wipe(text->value);
  return secret;
}

void check_open_profile(const Spot& secret, const struct stat& file, Reach reach, Report& report) {
  std::string why = why_open_profile(file, reach);
  if (!why.empty())
    report.add(
        Code::kOpenProfile, secret, "a key stands here, and others can read this file",
        {std::move(why), "0640 root:vpntun is enough; then make a new key: this one is known"});
}

}  // namespace vpntun::config
