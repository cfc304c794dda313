// verp_sender(): the variable envelope return path of one recipient, so that a bounce says by its
// address alone whom it is about: "news@x.example" to "a@b.example" is "news+a=b.example@x.example"
// (the form of Postfix's XVERP with its usual delimiters). Pure, and a function of the two
// addresses only: the same at every attempt, after a restart and in every version, as greylisting
// and the sender's own decoding want it. Where the readable form does not fit into the 64 octets of
// a local part (RFC 5321 section 4.5.3.1.1), or the recipient's is no dot-atom of ASCII, 16 digits
// of FNV-1a of the recipient stand for it: "news+0123456789abcdef@x.example".
#pragma once

#include <string>
#include <string_view>

namespace relay {

// The sender itself where there is nothing to vary: the null sender, a quoted local part.
std::string verp_sender(std::string_view sender, std::string_view recipient);

}  // namespace relay
