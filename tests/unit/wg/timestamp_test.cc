// TAI64N labels: form, whitening, order.
#include "wg/timestamp.h"

#include "vectors/vectors.h"

namespace vpntun::wg {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using vectors::Json;
using vectors::to_hex;

TEST(Timestamp, AgreesWithWireguardGo) {
  const Json table = vectors::load("wg_tai64n.json");
  const nanoseconds start{table.at("start_unix_ns").get<std::int64_t>()};
  EXPECT_EQ(to_hex(timestamp_of(0ns)).substr(0, 16), table.at("base"));
  ASSERT_EQ(table.at("cases").size(), 5u);
  for (const Json& row : table.at("cases")) {
    const nanoseconds later = start + nanoseconds{row.at("after_ns").get<std::int64_t>()};
    EXPECT_EQ(timestamp_of(later) > timestamp_of(start), row.at("later")) << row;
  }
}

TEST(Timestamp, Labels) {
  const std::pair<nanoseconds, std::string_view> rows[] = {
      {0ns, "400000000000000a00000000"},
      {(1 << 24) * 1ns - 1ns, "400000000000000a00000000"},
      {(1 << 24) * 1ns, "400000000000000a01000000"},
      {1s - 1ns, "400000000000000a3b000000"},  // 999 999 999 is 0x3b9ac9ff
      {1s, "400000000000000b00000000"},
      {-1ns, "40000000000000093b000000"},  // a clock that was never set
      {-1s, "400000000000000900000000"},
      {1532126321s + 356537872ns, "400000005b52647b15000000"},
      {4294967296s, "400000010000000a00000000"},
  };
  for (const auto& [time, label] : rows) EXPECT_EQ(to_hex(timestamp_of(time)), label);
}

TEST(Timestamp, NeverFallsAndRisesWithin17Milliseconds) {
  const nanoseconds start = 1700000000s;
  for (nanoseconds time = start; time < start + 3s; time += 999983ns) {
    EXPECT_GE(timestamp_of(time + 1ns), timestamp_of(time));
    EXPECT_GT(timestamp_of(time + 17ms), timestamp_of(time));
  }
}

}  // namespace
}  // namespace vpntun::wg
