#include "relay/reporting/tls_reporter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/log.h"
#include "core/file/file.h"
#include "core/file/replace_file.h"
#include "core/runtime/slices.h"
#include "dns/alias.h"
#include "relay/security/txt_texts.h"
#include "relay/tlsrpt/report_mail.h"

namespace relay {

namespace {

constexpr std::size_t kMostFileOctets = 4 * TlsTally::kMostOctets;
constexpr core::Duration kWaitForShards = std::chrono::seconds{1};

core::WallTime end_of(UtcDay day) {
    return begin_of(day + 1);
}

}  // namespace

TlsReporter::TlsReporter(TlsReporterParts parts, TlsReportSender sender)
    : parts_(std::move(parts)),
      sender_(std::move(sender)),
      stop_(parts_.shard.reactor()),
      ended_(parts_.shard.reactor()),
      tasks_(parts_.shard.reactor()) {}

void TlsReporter::start() {
    kept_at_ = parts_.shard.now();
    tasks_.spawn(run());
}

void TlsReporter::take(std::unique_ptr<TlsTally> tally, bool last) {
    arrived_.push_back({std::move(tally), last});
    if (!merging_) merging_ = tasks_.spawn(merge_arrived());
}

core::Task<void> TlsReporter::merge_arrived() {
    while (!arrived_.empty()) {
        TlsTally& tally = *arrived_.front().tally;
        if (!tally.empty() || tally.dropped() > 0) ++changes_;
        const UtcDay first = tally.empty() ? planned_ + 1 : tally.domains().begin()->first.first;
        while (tally_.merge_some(tally, kCountsAStep))
            co_await core::NextTurn{parts_.shard.reactor()};
        // The clock went back, or the day was looked at meanwhile: it is looked at again.
        planned_ = std::min(planned_, first - 1);
        if (arrived_.front().last) {
            ++ended_shards_;
            ended_.notify_all();
        }
        arrived_.pop_front();
    }
    merging_ = false;
    if (tally_.dropped() == told_dropped_) co_return;
    core::log_warning("TLS reports: {} sessions found no room and are not counted",
                      tally_.dropped() - told_dropped_);
    told_dropped_ = tally_.dropped();
}

core::Task<void> TlsReporter::run() {
    co_await restore();
    while (!co_await stop_.wait(parts_.shard.now() + kLookEvery)) {
        co_await plan();
        begin_due();
        if (changes_ != kept_ && parts_.shard.now() - kept_at_ >= kKeepEvery) co_await keep();
    }
}

core::Task<void> TlsReporter::restore() {
    const auto file = parts_.disk.open(parts_.file, core::Access::read);
    if (!file) {
        if (file.error() != std::errc::no_such_file_or_directory) {
            core::log_warning("{} cannot be opened: {}", parts_.file, file.error().message());
        }
        co_return;
    }
    const auto octets = parts_.disk.size(*file);
    std::string text(octets ? std::min<std::uint64_t>(*octets, kMostFileOctets) : 0, ' ');
    const auto read = co_await core::read_fully(parts_.shard, *file, {text.data(), text.size()}, 0);
    parts_.disk.close(*file);
    if (!octets || !read) {
        core::log_warning("{} cannot be read; what it counted is lost", parts_.file);
        co_return;
    }
    TlsTallyReader reader(tally_, text);
    while (reader.advance(kCountsAStep))
        co_await core::NextTurn{parts_.shard.reactor()};
    planned_ = -1;
    core::log_info("counts of TLS sessions for {} domains and days from {}",
                   tally_.domains().size(), parts_.file);
}

core::Task<std::string> TlsReporter::text() {
    std::string text;
    std::optional<Key> last;
    while (tally_.add_text(text, last, kCountsAStep))
        co_await core::NextTurn{parts_.shard.reactor()};
    co_return text;
}

core::Task<void> TlsReporter::keep() {
    const std::uint64_t changes = changes_;
    kept_at_ = parts_.shard.now();
    std::string content = co_await text();
    const auto saved =
        co_await core::replace_file(parts_.shard, parts_.disk, parts_.file, std::move(content));
    if (saved) {
        kept_ = changes;
    } else {
        core::log_warning("cannot keep counts of TLS sessions in {}: {}", parts_.file,
                          saved.error().message());
    }
}

// Every domain of a day that is over gets its time.
core::Task<void> TlsReporter::plan() {
    const core::WallTime now = parts_.shard.wall();
    const UtcDay over = utc_day(now - kGrace) - 1;
    if (over <= planned_) co_return;
    planned_ = over;
    core::Slices slices(parts_.shard.reactor());
    const TlsTally::Domains& domains = tally_.domains();
    for (auto next = domains.begin(); next != domains.end() && next->first.first <= over;) {
        const Key key = next->first;
        if (sendings_.try_emplace(key).second) {
            const auto span = static_cast<std::uint64_t>(parts_.delay.count()) + 1;
            const core::Duration delay{
                static_cast<core::Duration::rep>(parts_.shard.prng().below(span))};
            due_.emplace(now + delay, key);
        }
        co_await slices.next();
        next = domains.upper_bound(key);
    }
}

void TlsReporter::begin_due() {
    const core::WallTime now = parts_.shard.wall();
    while (under_way_ < kMostAtOnce && !due_.empty() && due_.begin()->first <= now) {
        if (!tasks_.spawn(send(due_.begin()->second))) return;
        ++under_way_;
        due_.erase(due_.begin());
    }
}

core::Task<void> TlsReporter::send(Key key) {
    co_await attempt(std::move(key));
    --under_way_;
    if (!stop_.is_set()) begin_due();
}

core::Task<void> TlsReporter::attempt(Key key) {
    const dns::DnsAnswer answer = co_await dns::follow_aliases(
        parts_.resolver, "_smtp._tls." + key.second, dns::RecordType::txt);
    if (stop_.is_set()) co_return;  // the next run sends it
    if (dns::is_temporary(answer)) co_return again(key, "its TLSRPT record cannot be looked up");
    const std::vector<ReportPlace> places = report_places(txt_texts(answer));
    if (places.empty()) co_return forget(key);
    const std::vector<PolicyCounts> counts = tally_.domains().at(key);
    const TlsReport report{sender_, key.second, key.first, counts};
    const std::string file = gzipped(tls_report_json(report));
    bool all = true;
    for (const ReportPlace& place : places) {
        std::vector<ReportPlace>& done = sendings_.at(key).done;
        if (std::ranges::find(done, place) != done.end()) continue;
        if (co_await send_to(&place, &report, &file)) {
            sendings_.at(key).done.push_back(place);
        } else {
            all = false;
        }
    }
    if (all) co_return forget(key);
    again(key, "not all of its places took it");
}

core::Task<bool> TlsReporter::send_to(const ReportPlace* place, const TlsReport* report,
                                      const std::string* file) {
    if (place->by_mail()) co_return co_await mail(place, report, file);
    const std::string fault = co_await parts_.web.post(place->url, *file);
    parts_.metrics.reports().count(fault.empty() ? metrics::TlsReport::posted
                                                 : metrics::TlsReport::failed);
    if (!fault.empty()) {
        core::log_info("TLS report about {}: {}: {}", report->domain,
                       core::escaped(place->to_string()), core::escaped(fault));
    }
    co_return fault.empty();
}

// As a notification goes: it is queued, and signed where those are.
core::Task<bool> TlsReporter::mail(const ReportPlace* place, const TlsReport* report,
                                   const std::string* file) {
    if (parts_.door.check(file->size())) {  // draining, or no room: later, or the next run
        parts_.metrics.reports().count(metrics::TlsReport::failed);
        co_return false;
    }
    std::unique_ptr<Message> message = parts_.door.begin();
    const std::string id = message->id.to_string();
    const std::string text =
        write_tls_report_mail(*report, {place->mailbox, id, parts_.shard.wall()}, *file);
    message->sender = core::CompactText(sender_.from);
    message->ours = true;
    message->tls = TlsRequest::waived;
    message->set_expires(message->created + kGiveUpAfter);
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find("\r\n") + 2);
        if (line.starts_with('.')) message->content.mark_leading_dot();
        message->content.append(line);
        rest.remove_prefix(line.size());
    }
    message->content.seal();
    message->recipients.push_back(std::make_unique<Recipient>(*message, place->mailbox));
    message->recipients.front()->notify = Notify(Notify::kNever);
    message->edit_injection().protocol = "TLSRPT";
    const bool queued = (co_await parts_.door.commit(std::move(message))).has_value();
    parts_.metrics.reports().count(queued ? metrics::TlsReport::mailed
                                          : metrics::TlsReport::failed);
    co_return queued;
}

void TlsReporter::again(const Key& key, const std::string& why) {
    Sending& sending = sendings_.at(key);
    const core::WallTime due = parts_.shard.wall() + sending.pause;
    sending.pause = std::min<core::Duration>(2 * sending.pause, kLongestPause);
    if (due <= end_of(key.first) + kGrace + parts_.delay + kGiveUpAfter) {
        due_.emplace(due, key);
        return;
    }
    core::log_warning("TLS report about {}: given up: {}", key.second, why);
    parts_.metrics.reports().count(metrics::TlsReport::given_up);
    forget(key);
}

void TlsReporter::forget(const Key& key) {
    ++changes_;
    tally_.erase(key);
    sendings_.erase(key);
}

core::Task<void> TlsReporter::close(std::size_t shards) {
    stop_.set();
    const core::Instant deadline = parts_.shard.now() + kWaitForShards;
    while (ended_shards_ < shards) {
        if (!co_await ended_.wait(deadline)) break;
    }
    co_await tasks_.close();
    if (changes_ != kept_) co_await keep();
}

}  // namespace relay
