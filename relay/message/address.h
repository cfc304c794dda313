// Mailboxes and paths of RFC 5321 section 4.1.2, with the UTF-8 of RFC 6531 section 3.3. Pure: the
// answers are views into the text that was given. Accepted: dot-atoms and quoted strings as local
// part, domain names (an underscore is let pass, as DNS does), address literals; a source route is
// read and dropped (section 4.1.1.3). Never accepted: CR, LF, NUL or another control character.
// From clients also "a..b@x", ".a@x" and "a.@x", which some providers have: they are sent quoted.
// Limits: local part 64 octets, domain 255, label 63, path 256 (section 4.5.3.1). Those of a domain
// with octets above 127 are counted in A-labels (RFC 5890 section 4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace relay {

enum class AddressFault : std::uint8_t {
    syntax,
    too_long,
    unqualified,  // no domain, or one of a single label (RFC 6409 section 4.2)
};

struct AddressView {
    std::string_view mailbox;  // local part, @ and domain, as written; empty for the null path
    std::string_view domain;
    bool utf8 = false;     // has octets above 127
    bool literal = false;  // the domain is an address literal
    bool quote = false;    // its local part has dots that only a quoted string may have
};

enum class LocalPart : std::uint8_t {
    strict,  // RFC 5321 section 4.1.2
    loose,   // dots where they like
};

// A mailbox without angle brackets; the whole text must be one.
std::expected<AddressView, AddressFault> parse_mailbox(std::string_view text,
                                                       LocalPart local = LocalPart::strict);

// The mailbox as it is kept, compared, shown and sent: with quotes where its local part needs them.
std::string wire_mailbox(const AddressView& address);

struct PathView {
    AddressView address;
    std::string_view rest;  // what follows the >
    bool null = false;      // <>
};

// A path at the beginning of the text: "<@relay.example:user@example.com> SIZE=100".
std::expected<PathView, AddressFault> parse_path(std::string_view text,
                                                 LocalPart local = LocalPart::strict);

// A domain name as in Mailbox or EHLO, or an address literal; the whole text must be one.
bool is_domain(std::string_view text);
bool is_address_literal(std::string_view text);

}  // namespace relay
