#include "relay/smtp/envelope.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace relay {

namespace {

// What a recipient takes beside its text: strings, vectors, the set.
constexpr std::size_t kRecipientOverhead = 96;
constexpr std::size_t kDsnOverhead = 96;

}  // namespace

void EnvelopeBuilder::set_sender(const PathView& path) {
    envelope_.sender = path.null ? std::string() : wire_mailbox(path.address);
    envelope_.utf8_address = path.address.utf8;
}

void EnvelopeBuilder::set_parameters(MailParameters parameters) {
    envelope_.declared_size = parameters.size;
    envelope_.eight_bit = parameters.eight_bit;
    envelope_.utf8 = parameters.utf8;
    envelope_.require_tls = parameters.require_tls;
    envelope_.by = parameters.by;
    envelope_.dsn = std::move(parameters.dsn);
}

bool EnvelopeBuilder::named_before(const std::string& mailbox) {
    const std::vector<std::string>& all = envelope_.recipients;
    if (all.size() < kFewRecipients) {
        return std::ranges::any_of(all, [&mailbox](const std::string& other) {
            return RecipientSet::same_mailbox(mailbox, other);
        });
    }
    const auto mailbox_at = [&all](std::size_t i) -> std::string_view { return all[i]; };
    for (std::size_t i = named_.size(); i < all.size(); ++i)
        named_.insert(named_.hash(all[i]), all[i], mailbox_at);
    return !named_.insert(named_.hash(mailbox), mailbox, mailbox_at);
}

void EnvelopeBuilder::add_recipient(const AddressView& address, const RecipientDsn& dsn) {
    envelope_.utf8_address = envelope_.utf8_address || address.utf8;
    std::string mailbox = wire_mailbox(address);
    if (named_before(mailbox)) return;
    envelope_.memory += kRecipientOverhead + mailbox.size();
    if (dsn.notify.said() || !dsn.original.empty()) {
        envelope_.memory += kDsnOverhead + dsn.original.size();
        envelope_.recipients_dsn.push_back(
            {envelope_.recipients.size(), dsn.notify, std::string(dsn.original)});
        const bool utf8 = std::ranges::any_of(dsn.original, [](char c) { return c < 0; });
        envelope_.utf8_address = envelope_.utf8_address || utf8;
    }
    envelope_.recipients.push_back(std::move(mailbox));
}

void EnvelopeBuilder::clear() {
    if (envelope_.recipients.size() > kManyRecipients && over_.recipients.empty()) {
        over_.recipients.swap(envelope_.recipients);
        over_.recipients_dsn.swap(envelope_.recipients_dsn);
        named_.clear();
    }
    if (envelope_.recipients.capacity() > kFewRecipients) {
        envelope_.recipients = {};
        envelope_.recipients_dsn = {};
        named_.clear();
    }
    envelope_.sender.clear();
    envelope_.recipients.clear();
    envelope_.recipients_dsn.clear();
    envelope_.memory = 0;
    envelope_.dsn = {};
    envelope_.declared_size = 0;
    envelope_.eight_bit = envelope_.utf8 = envelope_.utf8_address = false;
    envelope_.require_tls = false;
    envelope_.by.reset();
}

bool EnvelopeBuilder::free_some(std::size_t recipients) {
    const auto shorten = [recipients](auto& list) {
        list.erase(list.end() - static_cast<std::ptrdiff_t>(std::min(recipients, list.size())),
                   list.end());
        if (list.empty()) list = {};
        return !list.empty();
    };
    const bool more = shorten(over_.recipients);
    return shorten(over_.recipients_dsn) || more;
}

}  // namespace relay
