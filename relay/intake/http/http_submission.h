// HttpSubmission: from a request that was read to a message that can be committed: addresses
// checked, header encoded, content converted. It works in steps that its owner calls with turns of
// the loop between them. Owned by the handler of one request, on its shard. Pure but for
// Acceptance, which it asks for the message and what is known of domains. A recipient that is no
// mail address is listed; one that is named again is taken once. Limits: kRecipientsPerTurn and one
// block of content a step; kListedErrors of the sentences; HttpIngressOptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/http/message.h"
#include "metrics/shard_metrics.h"
#include "relay/intake/acceptance.h"
#include "relay/intake/http/content_text.h"
#include "relay/intake/http/inject_request.h"
#include "relay/message/address.h"
#include "relay/message/recipient_set.h"

namespace relay {

struct HttpIngressOptions {
    std::string hostname;
    std::vector<core::IpNetwork> allow;
    std::size_t max_message_size = 50U << 20;
    std::size_t max_recipients = 1'000'000;  // of a request
    BouncePolicy bounces = BouncePolicy::record;
    bool verp = false;
    bool convert_eight_bit = true;
    bool address_literals = false;  // recipients at "[192.0.2.1]" are taken
    core::Duration max_age{};       // zero: as schedules say
    std::uint64_t seed = 0;         // for RecipientSet
};

// Why a request is refused.
struct HttpFault {
    metrics::Rejection why = metrics::Rejection::malformed;
    int status = 422;
    std::string message;
    std::string field;
};

// Who is told of each recipient that is not taken.
class RefusedRecipients {
  public:
    virtual ~RefusedRecipients() = default;
    virtual void note(std::string_view address, std::string_view why) = 0;
};

class HttpSubmission {
  public:
    static constexpr std::size_t kListedErrors = 1000;  // fail_count, failed_recipients have all
    static constexpr std::size_t kRecipientsPerTurn = 2000;
    static constexpr std::size_t kMaxEncodedHeader = 64 * 1024;  // octets; a longer one stays

    HttpSubmission(const HttpIngressOptions& options, Acceptance& acceptance, InjectRequest request,
                   const core::IpAddress& client, RefusedRecipients& refused);

    // Checks the sender and begins the message.
    std::optional<HttpFault> begin();
    bool recipients_done() const { return request_.recipients.done(); }
    void take_recipients();
    // Nobody is left; call after the last recipient.
    std::optional<HttpFault> check_recipients() const;
    bool content_done() const { return content_done_; }
    std::optional<HttpFault> convert_content();

    bool only_recipient() const { return request_.recipients.size() == 1; }
    // The content has to become 7-bit before it is committed.
    bool wants_seven_bit() const;
    Message& message() { return *message_; }
    std::unique_ptr<Message> take_message() { return std::move(message_); }
    // What request and content take in memory now.
    std::size_t memory() const;

    // {"success_count":…}; the recipients of the message are given, as it is committed by then.
    std::string answer(std::string_view id) const;
    // What was wrong with recipients, of the first kListedErrors.
    const std::vector<core::HttpProblem>& problems() const { return problems_; }

  private:
    std::string_view refusal_of(const std::expected<AddressView, AddressFault>& address) const;
    void refuse(std::size_t index, std::string_view address, std::string_view why);
    void add_batch(const std::vector<std::string>& mailboxes);
    std::optional<HttpFault> begin_content();
    std::optional<HttpFault> end_content();
    std::optional<HttpFault> feed(std::string_view text);
    HttpFault too_large() const;

    const HttpIngressOptions& options_;
    Acceptance& acceptance_;
    InjectRequest request_;
    const core::IpAddress client_;
    RefusedRecipients& refused_;
    std::unique_ptr<Message> message_;

    std::size_t next_recipient_ = 0;
    std::size_t accepted_ = 0;  // occurrences
    std::size_t failed_ = 0;
    RecipientSet named_;
    std::string failed_recipients_;            // JSON strings, the elements of an array
    std::vector<core::HttpProblem> problems_;  // of the first kListedErrors

    std::unique_ptr<ContentText> text_;
    std::size_t skipped_ = 0;   // octets of the text at hand that were taken as the header
    std::size_t received_ = 0;  // octets of our own field
    bool content_done_ = false;
};

}  // namespace relay
