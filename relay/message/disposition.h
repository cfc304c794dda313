// Disposition: what an attempt came to, for one recipient. The scope says how far the cause reaches
// (Postfix's smtp_trouble): a session error is no fault of the message, a recipient error none of
// the site. Pure. The reply text that is kept for people is bounded by kMaxReplyText; what reads a
// reply for its meaning reads words(), which is longer where the reply was.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "relay/message/reply.h"

namespace relay {

enum class Outcome : std::uint8_t {
    none,       // not tried, or tried without a result that counts: goes back untouched
    delivered,  // final: the site took responsibility
    deferred,   // try again by schedule
    bounced,    // final: permanent failure
    expired,    // final: older than max_age
};

enum class Scope : std::uint8_t { session, site, message, recipient };

// What keeps an egress source from being used: another one is tried, and the receiver has no part
// in it.
enum class SourceFault : std::uint8_t {
    none,
    unusable,  // its address cannot be bound, or its proxy does not work
    unfit,     // it has no address of a family that the hosts have
};

inline constexpr std::size_t kMaxReplyText = 1024;  // octets kept of a remote reply

// What stays of a deferral while the recipient waits: quoted when it expires.
struct LastReply {
    Reply reply;
    std::string command;
    bool local = false;                    // our words, not the site's
    mutable std::uint32_t references = 0;  // of the pool that holds it
};

struct Disposition {
    Outcome outcome = Outcome::none;
    Scope scope = Scope::recipient;
    Reply reply;          // the site's, or ours when it gave none; at most kMaxReplyText of it
    std::string command;  // what it answered: "MAIL", "RCPT", ".", "connect", ...
    // All that was read of the text, where that is more than the reply holds; shared by its
    // recipients.
    std::shared_ptr<const std::string> whole;
    std::uint32_t recipients = 1;  // whom the reply is about: of content, those that it had
    bool local = false;            // the text is ours, not the site's
    bool by_operator = false;      // bounced by an order, whatever servers say
    bool host_lacks = false;       // for want of an extension: another host may offer it
    bool dsn_passed = false;       // the peer was told what to report, and does it
    bool by_passed = false;        // the peer was told by when to deliver (RFC 2852)
    bool untried = false;          // nobody was asked: it is no attempt
    SourceFault source_fault = SourceFault::none;  // with Outcome::none
    bool ambiguous_end = false;  // the final dot was sent and no reply came (RFC 5321 3.8)
    std::string peer_name;       // MX host
    std::string peer_address;    // its IP
    std::string source_address;  // our IP
    std::string session_id;
    // Of the connection, when it was encrypted; names that live as long as the program.
    std::string_view tls_protocol;
    std::string_view tls_cipher;

    std::string_view words() const { return whole != nullptr ? *whole : reply.text; }
    // Keeps what the site said: the reply, and whole where that cannot hold the text.
    void quote(const Reply& said);
    // Keeps what was said last, in place of the words of now.
    void quote(const LastReply& last);
};

// The front and the end of a text that is over the limit: what decides stands there.
std::string abridged_text(std::string_view text, std::size_t limit);
// The front of the text, not more than the limit, and not in the middle of a UTF-8 sequence.
std::string_view cut_text(std::string_view text, std::size_t limit);

std::string_view to_string(Outcome outcome);

}  // namespace relay
