// Transaction: one message on its way to one or more recipients of one domain, and what came of
// each. The driver of a ClientDialogue owns it and what it names, until it is finished or the
// dialogue ended; the dialogue keeps in it how far it is. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/content.h"
#include "relay/message/deliver_by.h"
#include "relay/message/disposition.h"
#include "relay/message/dsn_request.h"

namespace relay {

// An envelope as it goes to one server, where that is not as it was given.
struct EnvelopeForms {
    bool utf8 = false;       // MAIL says SMTPUTF8
    bool rewritten = false;  // the rest counts: all of it in ASCII
    std::string sender;
    std::vector<std::string> recipients;
    std::vector<std::string> originals;  // ORCPT; empty: as notifications have them, none
};

struct Transaction {
    std::string_view sender;
    std::vector<std::string_view> recipients;
    const Content* content = nullptr;
    bool eight_bit = false;
    bool utf8 = false;                        // the header section needs SMTPUTF8
    const DsnEnvelope* dsn = nullptr;         // null: nothing was asked for
    std::optional<ByTime> by;                 // RFC 2852
    std::vector<RecipientDsn> notifications;  // of each recipient, or empty
    bool dsn_passed = false;                  // once sent: the server reports what was asked for
    bool by_passed = false;                   // once sent: the server was told by when
    // Per recipient, once finished. Outcome::none: not answered for, may go again at once.
    std::vector<Disposition> results;
    EnvelopeForms forms;  // of this attempt: see client_envelope.h

  private:
    friend class ClientDialogue;
    enum class Phase : std::uint8_t { waiting, envelope, content, result, done };
    // RFC 5321 section 4.5.3.1.10; such a recipient has no outcome and goes again at once.
    static constexpr std::uint16_t kGoesAgain = 452;

    void restart();
    // Recipients whom nothing was said about yet, or whom the server accepted, get this result.
    void settle_open(const Disposition& disposition);
    void settle_accepted(const Disposition& disposition);
    // There are recipients whom the server did not refuse.
    bool somebody_left() const;

    Phase phase = Phase::waiting;
    std::size_t next_command = 0;  // lock-step: how much of the envelope was sent
    std::size_t accepted = 0;      // recipients
    bool answered = false;         // some reply of this transaction came
    bool behind_dot = false;       // its envelope left in the previous message's last group
    bool by_chunk = false;
    bool mail_parameters = false;  // MAIL went with some that can be spared
    bool rcpt_parameters = false;  // so did RCPT
};

}  // namespace relay
