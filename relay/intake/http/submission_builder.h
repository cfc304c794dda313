// SubmissionBuilder: fills a Submission from a request that was read: addresses checked, header
// encoded, content converted. It works in steps that its owner calls with turns of the loop between
// them. Owned by the handler of one request, on its shard. A recipient that is no mail address, or
// that Intake does not take, is listed; one that is named again is taken once. Limits:
// kRecipientsPerTurn and one block of content a step; kListedErrors of the sentences; IntakePolicy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/http/message.h"
#include "metrics/shard_metrics.h"
#include "relay/intake/http/content_text.h"
#include "relay/intake/http/inject_request.h"
#include "relay/intake/intake.h"
#include "relay/message/address.h"
#include "relay/message/recipient_set.h"

namespace relay {

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

class SubmissionBuilder {
  public:
    static constexpr std::size_t kListedErrors = 1000;  // fail_count, failed_recipients have all
    static constexpr std::size_t kRecipientsPerTurn = 2000;
    static constexpr std::size_t kMaxEncodedHeader = 64 * 1024;  // octets; a longer one stays

    SubmissionBuilder(Intake& intake, InjectRequest request, Submitter who,
                      RefusedRecipients& refused);

    // Checks the sender and begins the submission.
    std::optional<HttpFault> begin();
    bool recipients_done() const { return request_.recipients.done(); }
    void take_recipients();
    // Nobody is left; call after the last recipient.
    std::optional<HttpFault> check_recipients() const;
    bool content_done() const { return content_done_; }
    std::optional<HttpFault> convert_content();

    bool only_recipient() const { return request_.recipients.size() == 1; }
    // None before begin() has taken the sender.
    std::optional<Submission> take_submission() { return std::exchange(submission_, std::nullopt); }
    // What request and content take in memory now.
    std::size_t memory() const;

    // So many recipients that were accepted were not committed after all. Then the name of each;
    // false: memory ran out.
    void refuse_rest(std::size_t recipients, std::string_view why);
    bool name_refused(std::string_view address);
    // {"success_count":…}, once the submission is committed.
    std::string answer(const std::vector<MessageId>& ids) const;
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

    Intake& intake_;
    InjectRequest request_;
    Submitter who_;
    RefusedRecipients& refused_;
    std::optional<Submission> submission_;

    std::size_t next_recipient_ = 0;
    std::size_t accepted_ = 0;  // occurrences
    std::size_t failed_ = 0;
    RecipientSet named_;
    std::string failed_recipients_;            // JSON strings, the elements of an array
    std::vector<core::HttpProblem> problems_;  // of the first kListedErrors

    std::unique_ptr<ContentText> text_;
    std::size_t skipped_ = 0;  // octets of the text at hand that were taken as the header
    bool content_done_ = false;
};

}  // namespace relay
