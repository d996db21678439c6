// The adapter's requests, asked with published vectors, as a test in another language would.
#include "wg_adapter/answers.h"

#include "vectors/vectors.h"

namespace vpntun::adapter {
namespace {

using vectors::Json;

class Adapter : public testing::Test {
 protected:
  Answers answers_;

  // Words are joined with blanks; an empty text is "-".
  template <typename... Words>
  std::string ask(const Words&... words) {
    std::string line;
    ((line += (line.empty() ? "" : " ") + word(words)), ...);
    return answers_.answer(line);
  }

 private:
  static std::string word(const Json& value) {
    if (!value.is_string()) return value.dump();
    return value == "" ? "-" : value.get<std::string>();
  }
};

std::string text(const Json& value) {
  return value.get<std::string>();
}

TEST_F(Adapter, Blake2s) {
  const Json table = vectors::load("blake2s_keyed_kat.json").at("vectors");
  for (const Json& row : table)
    ASSERT_EQ(ask("blake2s", "32", row.at("key"), row.at("in")), "ok " + text(row.at("hash")));
  EXPECT_EQ(ask("blake2s", "32", "", "616263"),
            "ok 508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  // Python: hashlib.blake2s(b"abc", digest_size=16)
  EXPECT_EQ(ask("blake2s", "16", "", "616263"), "ok aa4938119b1dc7b87cbad0ffd200d0ae");
  EXPECT_EQ(ask("blake2s", "1", "", ""), "ok a1");
  EXPECT_EQ(ask("blake2s", "33", "", ""), "err");
  EXPECT_EQ(ask("blake2s", "0", "", ""), "err");
}

TEST_F(Adapter, Kdf) {
  const Json table = vectors::load("wg_kdf.json").at("vectors");
  for (const Json& row : table) {
    const std::string t0 = text(row.at("t0"));
    const std::string t1 = text(row.at("t1"));
    EXPECT_EQ(ask("kdf", "1", row.at("key"), row.at("input")), "ok " + t0);
    EXPECT_EQ(ask("kdf", "2", row.at("key"), row.at("input")), "ok " + t0 + " " + t1);
    EXPECT_EQ(ask("kdf", "3", row.at("key"), row.at("input")),
              "ok " + t0 + " " + t1 + " " + text(row.at("t2")));
  }
}

TEST_F(Adapter, X25519) {
  const Json file = vectors::load("wycheproof_x25519_test.json");
  for (const Json& row : file.at("testGroups").at(0).at("tests")) {
    const std::string shared = text(row.at("shared"));
    ASSERT_EQ(ask("x25519", row.at("private"), row.at("public")),
              shared == std::string(64, '0') ? "err" : "ok " + shared);
  }
}

TEST_F(Adapter, Aead) {
  for (const auto& [prefix, name] :
       {std::pair<std::string, std::string>("aead", "wycheproof_chacha20_poly1305_test.json"),
        std::pair<std::string, std::string>("xaead", "wycheproof_xchacha20_poly1305_test.json")}) {
    const Json table = vectors::load(name).at("testGroups");
    for (const Json& group : table)
      for (const Json& row : group.at("tests")) {
        SCOPED_TRACE(row.dump());
        const bool valid = row.at("result") == "valid";
        const std::string sealed = text(row.at("ct")) + text(row.at("tag"));
        const std::string plain = text(row.at("msg"));
        ASSERT_EQ(ask(prefix + "_open", row.at("key"), row.at("iv"), row.at("aad"), sealed),
                  valid ? "ok " + (plain.empty() ? "-" : plain) : "err");
        if (!valid) continue;
        ASSERT_EQ(ask(prefix + "_seal", row.at("key"), row.at("iv"), row.at("aad"), plain),
                  "ok " + sealed);
      }
  }
}

TEST_F(Adapter, Noise) {
  const Json vectors = vectors::load("noise_ikpsk2_25519_chachapoly_blake2s.json").at("vectors");
  for (const Json& vector : vectors) {
    const Json psks = vector.value("init_psks", Json::array());
    std::string payloads;
    std::string messages;
    for (const Json& message : vector.at("messages")) {
      const std::string payload = text(message.at("payload"));
      payloads += (payloads.empty() ? "" : " ") + (payload.empty() ? "-" : payload);
      messages += " " + text(message.at("ciphertext"));
    }
    const std::string answer = ask("noise", vector.at("protocol_name"), vector.at("init_prologue"),
                                   psks.empty() ? Json("") : psks.at(0), vector.at("init_static"),
                                   vector.at("init_ephemeral"), vector.at("resp_static"),
                                   vector.at("resp_ephemeral"), payloads);
    ASSERT_EQ(answer.substr(0, 3), "ok ");
    const std::string hash = answer.substr(3, 64);
    EXPECT_EQ(hash, vector.value("handshake_hash", hash));  // one vector is without
    EXPECT_EQ(answer.substr(3 + 64), messages);
  }
  EXPECT_EQ(ask("noise", "Noise_XX_25519_ChaChaPoly_BLAKE2s", "", ""), "err");
}

TEST_F(Adapter, Handshakes) {
  const Json table = vectors::load("wg_golden_handshakes.json").at("handshakes");
  for (const Json& golden : table) {
    const Json responder = vectors::to_hex(
        crypto::public_key_of(vectors::secret_of(golden.at("responder_static_private"))).bytes);
    const std::string initiator = vectors::to_hex(
        crypto::public_key_of(vectors::secret_of(golden.at("initiator_static_private"))).bytes);
    const std::string send = text(golden.at("initiator_send_key"));
    const std::string receive = text(golden.at("initiator_recv_key"));
    const auto ask_as_initiator = [&](const std::string& verb, const auto&... more) {
      return ask(verb, golden.at("initiator_static_private"), responder, golden.at("preshared_key"),
                 golden.at("initiator_ephemeral_private"), golden.at("initiator_index"),
                 golden.at("timestamp"), more...);
    };
    const auto ask_as_responder = [&](const std::string& initiation) {
      return ask("wg_resp", golden.at("responder_static_private"), golden.at("preshared_key"),
                 golden.at("responder_ephemeral_private"), golden.at("responder_index"),
                 initiation);
    };
    EXPECT_EQ(ask_as_initiator("wg_init"), "ok " + text(golden.at("init_msg")));
    EXPECT_EQ(ask_as_responder(text(golden.at("init_msg"))),
              "ok " + text(golden.at("resp_msg")) + " " + receive + " " + send + " " + initiator +
                  " " + text(golden.at("timestamp")));
    EXPECT_EQ(ask_as_initiator("wg_finish", golden.at("resp_msg")), "ok " + send + " " + receive);

    std::string damaged = text(golden.at("init_msg"));
    damaged[250] = damaged[250] == '0' ? '1' : '0';  // in mac1
    EXPECT_EQ(ask_as_responder(damaged), "err");
    EXPECT_EQ(ask_as_initiator("wg_finish", golden.at("init_msg")), "err");
  }
}

TEST_F(Adapter, Data) {
  const Json table = vectors::load("wg_golden_handshakes.json").at("handshakes");
  for (const Json& golden : table)
    for (const Json& packet : golden.at("data")) {
      const bool of_initiator = packet.at("sender") == "initiator";
      const Json& key = golden.at(of_initiator ? "initiator_send_key" : "initiator_recv_key");
      const std::string plain = text(packet.at("plaintext_padded"));
      EXPECT_EQ(ask("wg_open", key, packet.at("message")),
                "ok " + packet.at("counter").dump() + " " + (plain.empty() ? "-" : plain));
      EXPECT_EQ(ask("wg_seal", key, golden.at(of_initiator ? "responder_index" : "initiator_index"),
                    packet.at("counter"), plain),
                "ok " + text(packet.at("message")));
      EXPECT_EQ(ask("wg_open", std::string(64, '0'), packet.at("message")), "err");
    }
}

TEST_F(Adapter, Replay) {
  EXPECT_EQ(ask("replay_new"), "ok 8128");
  const Json table = vectors::load("wg_replay.json").at("steps");
  for (const Json& step : table)
    EXPECT_EQ(ask("replay", step.at(0)), step.at(1) ? "ok 1" : "ok 0") << step;
  EXPECT_EQ(ask("replay", "18446744073709551616"), "err");
}

TEST_F(Adapter, AllowedIps) {
  const Json file = vectors::load("wg_allowedips.json");
  std::size_t lookups = 0;
  for (const char* family : {"ipv4", "ipv6"}) {
    EXPECT_EQ(ask("aip_new"), "ok");
    for (const Json& step : file.at(family)) {
      SCOPED_TRACE(step.dump());
      const std::string op = text(step.at("op"));
      if (op == "insert" || op == "remove") {
        EXPECT_EQ(ask("aip_" + op, step.at("peer"), step.at("ip"), step.at("cidr")), "ok");
      } else if (op == "remove_peer") {
        EXPECT_EQ(ask("aip_remove_peer", step.at("peer")), "ok");
      } else if (op == "expect_empty") {
        EXPECT_EQ(ask("aip_empty"), "ok 1");
      } else {
        ++lookups;
        const bool is = op == "lookup_is";
        EXPECT_EQ(ask("aip_lookup", step.at("ip")) == "ok " + text(step.at("peer")), is);
      }
    }
  }
  EXPECT_EQ(lookups, 54u);
}

TEST_F(Adapter, RateLimit) {
  const Json table = vectors::load("wg_ratelimiter.json");
  EXPECT_EQ(ask("rl_new"), "ok");
  int now = 0;
  for (const Json& step : table.at("steps")) {
    now += step.at("ms").get<int>();
    for (const Json& address : table.at("addresses"))
      EXPECT_EQ(ask("rl_allow", address, std::to_string(now)), step.at("allow") ? "ok 1" : "ok 0");
  }
}

TEST_F(Adapter, Tai64n) {
  EXPECT_EQ(ask("tai64n", "0"), "ok 400000000000000a00000000");
  EXPECT_EQ(ask("tai64n", "1532126321356537872"), "ok 400000005b52647b15000000");
}

TEST_F(Adapter, Cookies) {
  const std::string key(64, '3');
  const std::string mac1(32, '1');
  const std::string cookie(32, '2');
  const std::string made = ask("cookie_make", key, "1", mac1, cookie, std::string(48, '4'));
  ASSERT_EQ(made.substr(0, 19), "ok 0300000001000000");
  ASSERT_EQ(made.size(), 3 + 2 * 64u);
  EXPECT_EQ(ask("cookie_open", key, mac1, made.substr(3)), "ok " + cookie);
  EXPECT_EQ(ask("cookie_open", key, cookie, made.substr(3)), "err");
}

TEST_F(Adapter, WhatItDoesNotUnderstand) {
  EXPECT_EQ(ask("make_tea"), "unsupported");
  EXPECT_EQ(answers_.answer(""), "unsupported");
  for (const char* line : {"x25519", "x25519 00 00", "kdf 0 - -", "kdf one - -", "tai64n 1 2",
                           "blake2s 32 0 -", "blake2s 32 zz -", "aip_insert a 10.0.0.0 33",
                           "aip_lookup ten", "rl_allow 10.0.0.1", "replay -1", "replay 0x"})
    EXPECT_EQ(answers_.answer(line), "err") << line;
  EXPECT_EQ(answers_.answer("tai64n 0x0"), "ok 400000000000000a00000000");
}

}  // namespace
}  // namespace vpntun::adapter
