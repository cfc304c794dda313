// TlsReporter: sends the reports about TLS (RFC 8460). One per node, on one shard, which receives
// the counts of all shards, keeps them in a file over restarts, and reports each UTC day once it is
// over. For every domain of the day, after a random part of `delay`:
//
//   its TLSRPT record is looked up     none: nobody wants the report
//   https:                             posted; done when the answer is 2xx
//   mailto:                            committed to the queue like a notification, with TLS waived
//                                      (RFC 8689), so that its sessions are not counted; from
//                                      then on [retry] decides
//   a lookup or a post that failed     again after kFirstPause, which doubles to kLongestPause,
//                                      until kGiveUpAfter after the last moment of the delay
//
// The record is asked for then and not while mail moves: it costs mail no lookup, and what it says
// when the report is sent is what counts. A crash loses the counts since the file was written, and
// may repeat a report; its id is the same. Limits: those of TlsTally for all days together,
// kMostAtOnce reports under way. close() before what was given here; it writes the file.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "dns/resolver.h"
#include "metrics/shard_metrics.h"
#include "relay/intake/acceptance.h"
#include "relay/reporting/report_door.h"
#include "relay/security/session_counts.h"
#include "relay/tlsrpt/report.h"

namespace relay {

struct TlsReporterParts {
    core::Shard& shard;
    dns::Resolver& resolver;
    ReportDoor& web;
    Acceptance& door;  // of this shard
    core::Disk& disk;
    metrics::ShardMetrics& metrics;
    std::string file;      // for the counts
    core::Duration delay;  // at most
};

class TlsReporter final : public TallyTaker {
  public:
    static constexpr core::Duration kGrace = std::chrono::minutes{1};  // counts come in late
    static constexpr core::Duration kGiveUpAfter = std::chrono::hours{24};
    static constexpr core::Duration kFirstPause = std::chrono::minutes{5};
    static constexpr core::Duration kLongestPause = std::chrono::hours{4};
    static constexpr std::size_t kMostAtOnce = 8;
    static constexpr core::Duration kLookEvery = std::chrono::seconds{10};
    static constexpr core::Duration kKeepEvery = std::chrono::minutes{1};

    TlsReporter(TlsReporterParts parts, TlsReportSender sender);

    // Reads what an earlier run counted, then goes on until close().
    void start();
    // It is merged in steps: tally() shows all of it some turns later.
    void take(std::unique_ptr<TlsTally> tally, bool last) override;
    // Waits a moment for the last counts of so many shards.
    core::Task<void> close(std::size_t shards);

    const TlsTally& tally() const { return tally_; }

  private:
    struct Sending {
        core::Duration pause = kFirstPause;  // after the next failure
        std::vector<ReportPlace> done;
    };
    struct Arrived {
        std::unique_ptr<TlsTally> tally;
        bool last = false;
    };
    using Key = TlsTally::Key;
    // In one step of the loop.
    static constexpr std::size_t kCountsAStep = 64;

    core::Task<void> run();
    core::Task<void> restore();
    core::Task<void> merge_arrived();
    core::Task<std::string> text();
    core::Task<void> keep();
    core::Task<void> send(Key key);
    core::Task<void> attempt(Key key);
    core::Task<bool> send_to(const ReportPlace* place, const TlsReport* report,
                             const std::string* file);
    core::Task<bool> mail(const ReportPlace* place, const TlsReport* report,
                          const std::string* file);
    core::Task<void> plan();
    void begin_due();
    void again(const Key& key, const std::string& why);
    void forget(const Key& key);

    TlsReporterParts parts_;
    TlsReportSender sender_;
    TlsTally tally_;
    std::deque<Arrived> arrived_;  // not merged yet
    bool merging_ = false;
    std::map<Key, Sending> sendings_;         // of days that are over
    std::multimap<core::WallTime, Key> due_;  // of these, the ones that wait
    UtcDay planned_ = -1;                     // the last day of which all are in sendings_
    std::size_t under_way_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t kept_ = 0;
    core::Instant kept_at_{};
    std::uint64_t told_dropped_ = 0;
    std::size_t ended_shards_ = 0;
    core::Event stop_;
    core::Event ended_;
    core::TaskGroup tasks_;
};

}  // namespace relay
