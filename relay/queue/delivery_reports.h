// DeliveryReports: tells senders by mail what became of their recipients (RFC 3461, 3464), where
// the listener's `bounces` or the sender's NOTIFY wants it. It collects what happened to the
// recipients of a message and commits one report for those that ended together: when the last one
// is final, or kGather after the first, or once kMostPerReport are there. A report has the null
// sender, goes to the original's, and is queued like any other mail; about mail with the null
// sender there is none, ever (RFC 5321 section 4.5.4). One per shard, owned by the Origin, which
// calls message_ends() before it frees a message. close() commits what was collected. The
// original's content is read if it is in memory; otherwise a report comes without it. Limits:
// kMostPerReport.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"
#include "metrics/shard_metrics.h"
#include "relay/dsn/report.h"
#include "relay/inject/acceptance.h"
#include "relay/message/message.h"

namespace relay {

struct ReportOptions {
    std::string hostname = "localhost";
    core::Duration delay_warning{};  // zero: nobody is told of delays
    core::Duration max_age{};
};

class DeliveryReports {
  public:
    static constexpr std::size_t kMostPerReport = 500;
    static constexpr core::Duration kGather = std::chrono::seconds{5};

    // door: what commits; usually the Origin itself. It outlives this.
    DeliveryReports(core::Shard& shard, ReportOptions options, Acceptance& door,
                    metrics::ShardMetrics& metrics);
    ~DeliveryReports();

    // The recipient's disposition is final. True: the sender will be told of a failure by mail.
    bool ended(const Recipient& recipient);
    void deferred(Recipient& recipient);
    void message_ends(const Message& message);
    core::Task<void> close();

  private:
    class GatherTimer final : public core::Timer {
      public:
        explicit GatherTimer(DeliveryReports& reports) : reports_(reports) {}
        void expire() override { reports_.flush(); }

      private:
        DeliveryReports& reports_;
    };

    void add(const Recipient& recipient, DsnAction action);
    void flush();
    void report(const Message& original, std::vector<DsnRecipient> recipients);
    void write(const Message& original, std::vector<DsnRecipient> recipients, std::string to);
    core::Task<void> commit(std::unique_ptr<Message> message);

    core::Shard& shard_;
    ReportOptions options_;
    Acceptance& door_;
    metrics::ShardMetrics& metrics_;
    std::unordered_map<const Message*, std::vector<DsnRecipient>> collected_;
    GatherTimer timer_{*this};
    core::TaskGroup tasks_;
};

}  // namespace relay
