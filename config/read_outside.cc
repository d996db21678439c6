// Values that may stand outside of the profile: endpoints in credentials, keys in files and
// credentials.
#include <fmt/format.h>

#include "config/document.h"
#include "config/draft.h"
#include "config/secret.h"
#include "config/table_reader.h"
#include "config/value_text.h"

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
void read_endpoint_credential(const Located<std::string>& text, PeerDraft& peer, Report& report) {
  Parsed<std::string> content = read_credential(text.value);
  if (!content.value)
    return report.add(Code::kCredential, text.spot,
                      fmt::format("no credential {}", in_quotes(text.value)),
                      std::move(content.why));
  const Parsed<EndpointSpec> parsed = parse_endpoint(*content.value);
  if (!parsed.value)
    return report.add(Code::kCredential, text.spot,
                      fmt::format("credential {} is no endpoint", in_quotes(text.value)),
                      {"", "its content is ADDRESS:PORT, [IPV6]:PORT or NAME:PORT on one line"});
  peer.endpoint_secret = true;
  peer.endpoint_unclear = false;
  peer.endpoint = {*parsed.value, text.spot};
}

}  // namespace

void read_endpoint(const Located<std::string>& text, Reach reach, PeerDraft& peer, Report& report) {
  peer.endpoint_unclear = true;
  if (is_credential(text.value)) {
    if (!is_well_named(text, report)) return;
    return reach == Reach::kCredentials ? read_endpoint_credential(text, peer, report)
                                        : note_read_later(text, report);
  }
  Parsed<EndpointSpec> parsed = parse_endpoint(text.value);
  peer.endpoint_unclear = !parsed.value;
  if (parsed.value)
    peer.endpoint = {*parsed.value, text.spot};
  else
    report.add(Code::kEndpoint, text.spot,
               fmt::format("expected an endpoint, got {}", in_quotes(text.value)),
               std::move(parsed.why));
}

void check_key_source(const TableReader& table, std::string_view key, const Draft& draft) {
  const Value* value = table.find(key);
  if (!draft.wireguard || !value) return;
  Report& report = table.report();
  const Located<std::string> text{value->text, table.spot(key)};
  if (is_credential(text.value)) {
    if (is_well_named(text, report) && draft.reach != Reach::kCredentials)
      note_read_later(text, report);
  } else if (text.value.starts_with('/')) {
    std::string why = draft.reach == Reach::kText ? "" : why_no_key_file(text.value);
    if (!why.empty()) report.add(Code::kKeyFile, text.spot, std::move(why));
  } else {
    report.add(Code::kKeySource, text.spot,
               "expected the absolute path of a file, or \"@\" and the name of a credential",
               {"a key does not stand in the profile; it is not shown here",
                "write it into a file of its own with mode 0640 and owner root:vpntun"});
  }
}

}  // namespace vpntun::config
