#include "relay/smtp/client_envelope.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "relay/message/idna.h"
#include "relay/message/own_disposition.h"
#include "relay/smtp/downgrade.h"

namespace relay {

namespace {

bool names_utf8(const Transaction& transaction) {
    return has_utf8(transaction.sender) || std::ranges::any_of(transaction.recipients, has_utf8) ||
           std::ranges::any_of(transaction.notifications,
                               [](const RecipientDsn& dsn) { return has_utf8(dsn.original); });
}

void settle(Transaction& transaction, const Disposition& disposition) {
    for (Disposition& result : transaction.results)
        result = disposition;
}

// Without SMTPUTF8: only what means the same in ASCII. Those who can be named that way do not
// suffer from those who cannot.
bool adapt_addresses(Transaction& transaction) {
    const Disposition unspeakable = host_lacks(
        {553, {5, 6, 7}, "address in UTF-8, and the receiving host does not offer SMTPUTF8"},
        "MAIL", Scope::recipient);
    auto sender = ascii_mailbox(transaction.sender);
    if (!sender) {
        settle(transaction, unspeakable);
        return false;
    }
    EnvelopeForms& forms = transaction.forms;
    forms.sender = std::move(*sender);
    forms.recipients.resize(transaction.recipients.size());
    bool somebody = false;
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i) {
        auto mailbox = ascii_mailbox(transaction.recipients[i]);
        if (!mailbox) {
            transaction.results[i] = unspeakable;
            transaction.results[i].command = "RCPT";
            continue;
        }
        forms.recipients[i] = std::move(*mailbox);
        somebody = true;
    }
    for (const RecipientDsn& dsn : transaction.notifications)
        forms.originals.push_back(ascii_original(dsn.original));
    forms.rewritten = true;
    return somebody;
}

void append_by(std::string& commands, const ByTime& by) {
    constexpr std::int64_t kMost = 999'999'999;  // RFC 2852 section 4
    commands.append(" BY=").append(std::to_string(std::clamp(by.seconds, -kMost, kMost)));
    commands.append(by.returns ? ";R" : ";N").append(by.traces ? "T" : "");
}

}  // namespace

bool adapt(Transaction& transaction, const Extensions& offered) {
    transaction.results.assign(transaction.recipients.size(), Disposition{});
    transaction.forms = {};
    const auto refuse = [&](std::uint16_t code, EnhancedCode enhanced, std::string text) {
        settle(transaction, host_lacks({code, enhanced, std::move(text)}, "MAIL", Scope::message));
        return false;
    };
    if (offered.size_limit > 0 && transaction.content->size() > offered.size_limit) {
        return refuse(552, {5, 3, 4},
                      "message of " + std::to_string(transaction.content->size()) +
                          " octets is over the limit of the receiving host, " +
                          std::to_string(offered.size_limit));
    }
    if (transaction.eight_bit && !offered.eight_bit) {
        return refuse(554, {5, 6, 3}, "receiving host does not offer 8BITMIME");
    }
    // RFC 2852 section 4.1: not to a server that may keep it beyond the time.
    const bool in_time =
        offered.deliver_by && (!transaction.by || transaction.by->seconds >= offered.least_by_time);
    if (transaction.by && transaction.by->returns && !in_time) {
        return refuse(550, {5, 3, 3},
                      offered.deliver_by ? "receiving host wants more time than is left (BY)"
                                         : "receiving host does not offer DELIVERBY");
    }
    if (!transaction.utf8 && !names_utf8(transaction)) return true;
    transaction.forms.utf8 = offered.utf8;
    if (offered.utf8) return true;
    if (transaction.utf8) {
        return refuse(554, {5, 6, 9},
                      "header fields in UTF-8, and the receiving host does not offer SMTPUTF8");
    }
    return adapt_addresses(transaction);
}

bool append_mail(std::string& commands, Transaction& transaction, const MailTerms& terms) {
    const auto& [offered, sparing, requires_tls] = terms;
    const EnvelopeForms& forms = transaction.forms;
    const std::string_view sender = forms.rewritten ? forms.sender : transaction.sender;
    bool spareable = false;
    commands.append("MAIL FROM:<").append(sender).append(">");
    if (offered.size && !sparing) {
        spareable = true;
        char digits[24];
        const auto end =
            std::to_chars(digits, digits + sizeof digits, transaction.content->size()).ptr;
        commands.append(" SIZE=").append(digits, end);
    }
    if (transaction.eight_bit && offered.eight_bit) commands.append(" BODY=8BITMIME");
    if (forms.utf8) commands.append(" SMTPUTF8");
    if (requires_tls) commands.append(" REQUIRETLS");
    transaction.by_passed = offered.deliver_by && transaction.by.has_value();
    if (transaction.by_passed) append_by(commands, *transaction.by);
    transaction.dsn_passed = offered.dsn && !sparing;
    if (transaction.dsn_passed && transaction.dsn != nullptr) {  // RFC 3461 section 5.2.1
        spareable = true;
        if (transaction.dsn->content == ReturnContent::full) commands.append(" RET=FULL");
        if (transaction.dsn->content == ReturnContent::headers) commands.append(" RET=HDRS");
        const std::string& id = transaction.dsn->envelope_id;
        if (!id.empty()) commands.append(" ENVID=").append(id);
    }
    commands.append("\r\n");
    return spareable;
}

bool append_rcpt(std::string& commands, const Transaction& transaction, std::size_t recipient) {
    const EnvelopeForms& forms = transaction.forms;
    const std::string_view mailbox =
        forms.rewritten ? forms.recipients[recipient] : transaction.recipients[recipient];
    commands.append("RCPT TO:<").append(mailbox).append(">");
    const bool tells_dsn = transaction.dsn_passed && !transaction.notifications.empty();
    if (tells_dsn) {
        const RecipientDsn& dsn = transaction.notifications[recipient];
        if (dsn.notify.said()) commands.append(" NOTIFY=").append(dsn.notify.text());
        const std::string_view original =
            forms.rewritten ? forms.originals[recipient] : dsn.original;
        if (!original.empty()) commands.append(" ORCPT=").append(original);
    }
    commands.append("\r\n");
    return tells_dsn;
}

}  // namespace relay
