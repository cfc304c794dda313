// DeliveryReports: tells senders by mail what became of their recipients (RFC 3461, 3464), where
// the listener's `bounces` or the sender's NOTIFY wants it. It collects what happened to the
// recipients of a message and commits one report for those that ended together: when the last one
// is final, or kGather after the first, or once kMostPerReport are there. A report has the null
// sender, goes to the original's, and is queued like any other mail; about mail with the null
// sender there is none, ever (RFC 5321 section 4.5.4). From the first that it collects until the
// report is committed it keeps the message (open_recipients), and only then the outcomes that it
// tells of are settled: a crash in between repeats the attempt, it never loses the report. A
// report for which the spool has no room waits, trying every kTryAgain. The original's content is
// read back if it left memory. One per shard, owned by the Origin. close() commits what was
// collected, or leaves it to the next run. However many messages fail at once, a step of the loop
// begins core::kSlice reports at most. Limits: kMostPerReport; kMostAtOnce being made, the others
// wait in order; what is collected counts against memory.limit (memory()), so that new mail is
// refused before failures that cannot be reported, as the spool is full, fill the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"
#include "metrics/shard_metrics.h"
#include "relay/dsn/report.h"
#include "relay/intake/acceptance.h"
#include "relay/message/message.h"
#include "relay/spool/in_hand.h"

namespace relay {

// What reports need of the owner of the messages, the Origin.
class ReportedMail {
  public:
    virtual ~ReportedMail() = default;
    virtual core::Task<bool> hold_content(Message& message) = 0;
    virtual void let_content_go(Message& message) = 0;
    virtual InHand::Note take_in_hand(const Message& message) = 0;
    // The outcome may be recorded: the sender was told, or never will be.
    virtual void record(Recipient& recipient, Outcome outcome) = 0;
    // No report keeps the message any more.
    virtual void let_go(Message& message) = 0;
};

struct ReportOptions {
    std::string hostname = "localhost";
    core::Duration delay_warning{};  // zero: nobody is told of delays
};

class DeliveryReports {
  public:
    static constexpr std::size_t kMostPerReport = 500;
    static constexpr core::Duration kGather = std::chrono::seconds{5};
    static constexpr std::size_t kMostAtOnce = 32;
    static constexpr core::Duration kTryAgain = std::chrono::seconds{5};

    // door: what commits; usually the Origin itself, as mail is. They outlive this.
    DeliveryReports(core::Shard& shard, ReportOptions options, Acceptance& door, ReportedMail& mail,
                    metrics::ShardMetrics& metrics);
    ~DeliveryReports();

    // What the sender will be told by mail. If anything: record() comes when it was.
    enum class Tells : std::uint8_t { nothing, success, failure };
    // The recipient's disposition is final.
    Tells ended(Recipient& recipient);
    // Tried until then.
    void deferred(Recipient& recipient, core::WallTime until);
    // Nobody else of the message will end: what was collected about it is reported now.
    void message_ends(Message& message);
    core::Task<void> close();
    // Octets of what is collected or waits.
    std::size_t memory() const { return memory_; }

  private:
    class GatherTimer final : public core::Timer {
      public:
        explicit GatherTimer(DeliveryReports& reports) : reports_(reports) {}
        void expire() override { reports_.flush(); }

      private:
        DeliveryReports& reports_;
    };

    struct Collected {
        std::vector<DsnRecipient> told;
        std::vector<std::pair<Recipient*, Outcome>> ended;
        std::size_t octets = 0;
    };

    Collected& add(Recipient& recipient, DsnAction action, core::WallTime until = {});
    struct Waiting {
        Message* original;
        Collected collected;
    };

    // In slices; what comes meanwhile waits for the next time.
    void flush();
    void begin_report(Message& original, Collected collected);
    // Makes reports one after the other while some wait.
    core::Task<void> make_reports();
    core::Task<void> report(Message* original, Collected collected);
    void forget(const Collected& collected);
    core::Task<bool> tell(Message* original, Collected* collected);
    core::Task<bool> report_alike(const Message* original, std::vector<DsnRecipient> recipients,
                                  std::string to);
    std::unique_ptr<Message> write(const Message& original, std::vector<DsnRecipient> recipients,
                                   std::string to);

    core::Shard& shard_;
    ReportOptions options_;
    Acceptance& door_;
    ReportedMail& mail_;
    metrics::ShardMetrics& metrics_;
    std::unordered_map<Message*, Collected> collected_;
    GatherTimer timer_{*this};
    std::deque<Waiting> waiting_;
    std::size_t makers_ = 0;
    std::size_t memory_ = 0;
    core::Event closing_;
    core::TaskGroup tasks_;
};

}  // namespace relay
