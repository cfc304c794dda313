// LoginSecrets: what a session told a server to log in, in the forms in which the server may quote
// it, and hide(), which takes all of them out of a text. Pure; owned by one ClientDialogue. It
// hides the password (letters of either case from kLeastAnyCase octets on), its hexadecimal form,
// base64 of anything that has the password inside, and every piece of an AUTH line of at least
// kLeastPiece octets, in letters of either case. Afterwards "***" stands in their place. The name
// of the user is no secret.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "relay/smtp/sasl.h"

namespace relay {

class LoginSecrets {
  public:
    static constexpr std::size_t kLeastAnyCase = 4;
    static constexpr std::size_t kLeastPiece = 8;

    void add(const Login& login);
    // What was sent: "AUTH PLAIN AG...", or the answer to a challenge.
    void add_line(std::string_view line);
    bool empty() const { return password_.empty() && lines_.empty(); }

    void hide(std::string& text) const;

  private:
    std::string password_;
    std::string hexadecimal_;
    // What base64 of it always has, by its place in three octets; in lower case, as the lines are.
    std::vector<std::string> cores_;
    std::vector<std::string> lines_;
};

}  // namespace relay
