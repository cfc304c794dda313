// SaslClient: proves to a server who we are (RFC 4954): SCRAM-SHA-256 (RFC 5802, RFC 7677), PLAIN
// (RFC 4616) or LOGIN, the best that the server offers and that may be used. PLAIN and LOGIN tell
// the server the password, so they are used only towards a server whose certificate was verified,
// or when the login says that it may be told to anybody. Pure: the nonce comes from the caller.
//
//   auto client = SaslClient::choose(login, "PLAIN LOGIN", verified, nonce);
//   line = client->begin();            // "AUTH PLAIN …", without CRLF
//   line = client->answer(challenge);  // to each 334; an error: do not go on
//   client->proven()                   // at 235: whether the server did its part
//
// What it makes holds secrets: it goes on the wire and nowhere else. Limits: kMostIterations, which
// bounds the time a server can make us spend.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace relay {

struct Login {
    std::string username;
    std::string password;
    bool insecure = false;  // also without a verified certificate
};

class SaslClient {
  public:
    static constexpr unsigned kLeastIterations = 4096;  // RFC 7677 section 4
    static constexpr unsigned kMostIterations = 200'000;

    enum class Mechanism : std::uint8_t { scram_sha_256, plain, login };

    // nullopt: the server offers none that may be used.
    static std::optional<SaslClient> choose(const Login& login, std::string_view offered,
                                            bool verified, std::string nonce);

    std::string begin();
    core::Result<std::string> answer(std::string_view challenge);
    bool proven() const { return mechanism_ != Mechanism::scram_sha_256 || server_proved_; }
    Mechanism mechanism() const { return mechanism_; }

  private:
    SaslClient(const Login& login, Mechanism mechanism, std::string nonce)
        : login_(&login), mechanism_(mechanism), nonce_(std::move(nonce)) {}
    core::Result<std::string> scram_final(std::string_view server_first);
    core::Result<std::string> check_server(std::string_view server_final);

    const Login* login_;  // outlives the session
    Mechanism mechanism_;
    std::string nonce_;
    unsigned step_ = 0;
    std::string first_bare_;
    std::string server_signature_;
    bool server_proved_ = false;
};

}  // namespace relay
