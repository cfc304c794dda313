#include "bench/load/load_plan.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

namespace bench {
namespace {

constexpr std::size_t kLine = 76;
constexpr std::string_view kText =
    "Dear reader, here is what happened this week in the garden and around it. The apple trees "
    "were "
    "pruned on Tuesday; the hedge has to wait until the birds have left. You will find the dates "
    "of "
    "all meetings at https://garden.example/calendar?week=12&lang=en and the photographs of the "
    "last "
    "one beside it. If you would rather not get this letter any more, one click is enough: we will "
    "not ask why. ";

std::uint64_t mixed(std::uint64_t n) {
    n += 0x9e3779b97f4a7c15U;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9U;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebU;
    return n ^ (n >> 31);
}

std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[64];
    const std::size_t length =
        std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &parts);
    return {text, length};
}

}  // namespace

LoadPlan::LoadPlan(LoadPlan&& other) noexcept
    : options_(std::move(other.options_)),
      names_(std::move(other.names_)),
      shares_(std::move(other.shares_)),
      date_(std::move(other.date_)),
      body_(std::move(other.body_)),
      stuffed_(std::move(other.stuffed_)),
      next_(other.next_.load()) {}

core::Result<LoadPlan> LoadPlan::create(LoadOptions options) {
    LoadPlan plan(std::move(options));
    LoadOptions& set = plan.options_;
    if (set.domains == 0 || set.distinct_recipients == 0 || set.recipients_per_message == 0) {
        return core::failure("domains, recipients and recipients per message begin at 1");
    }
    set.distinct_recipients = std::max(set.distinct_recipients, set.recipients_per_message);
    if (set.run_id.empty()) {
        set.run_id =
            fmt::format("{:x}", mixed(static_cast<std::uint64_t>(
                                    std::chrono::system_clock::now().time_since_epoch().count())));
    }
    if (auto read = plan.read_weights(); !read) return core::failure(read.error());
    if (plan.names_.empty()) {
        for (std::uint64_t i = 0; i < set.domains; ++i) {
            plan.names_.push_back(fmt::format("d{}.{}", i, set.domain_suffix));
        }
    }
    plan.date_ = date_now();
    plan.write_body();
    return plan;
}

core::Result<void> LoadPlan::read_weights() {
    double total = 0;
    for (const auto& text : options_.weighted) {
        const auto equals = text.find('=');
        double weight = 1;
        if (equals != std::string::npos) {
            const char* end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, weight);
            if (error != std::errc{} || stop != end || weight <= 0) {
                return core::failure("a domain is \"name=weight\", not \"" + text + "\"");
            }
        }
        names_.push_back(text.substr(0, equals));
        total += weight;
        shares_.push_back(total);
    }
    for (double& share : shares_)
        share /= total;
    return {};
}

const std::string& LoadPlan::domain(std::uint64_t number) const {
    if (shares_.empty()) return names_[number % names_.size()];
    const double point = static_cast<double>(mixed(number) >> 11) * 0x1p-53;
    const auto found = std::ranges::upper_bound(shares_, point);
    return names_[std::min(static_cast<std::size_t>(found - shares_.begin()), names_.size() - 1)];
}

void LoadPlan::write_body() {
    Draft sample;
    compose(0, sample);
    const std::size_t wanted = std::max<std::size_t>(
        options_.size > sample.header.size() ? options_.size - sample.header.size() : 0, 8);
    body_ = "\r\n";
    std::size_t from = 0;
    while (body_.size() + 2 < wanted) {
        const std::size_t length = std::min(kLine, wanted - body_.size() - 2);
        std::string line;
        while (line.size() < length)
            line += kText[from++ % kText.size()];
        if (line.front() == '.') line.front() = '-';
        body_ += line + "\r\n";
    }
    if (body_.size() < wanted) body_ += "\r\n";  // at most one octet over
    const std::size_t lines = body_.size() / (kLine + 2);
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(options_.dot_lines, lines); ++i) {
        body_[2 + (i * lines / options_.dot_lines) * (kLine + 2)] = '.';
    }
    for (std::size_t i = 0; i < body_.size(); ++i) {
        if (body_[i] == '.' && i > 0 && body_[i - 1] == '\n') stuffed_ += '.';
        stuffed_ += body_[i];
    }
}

std::optional<std::uint64_t> LoadPlan::claim() {
    const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    if (number >= options_.messages) return {};
    return number;
}

core::Duration LoadPlan::offset(std::uint64_t number) const {
    if (options_.rate <= 0) return core::Duration{0};
    return core::Duration{
        static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / options_.rate)};
}

void LoadPlan::compose(std::uint64_t number, Draft& draft) const {
    draft.number = number;
    draft.recipients.resize(options_.recipients_per_message);
    const std::uint64_t count = options_.recipients_per_message;
    const std::uint64_t first = number / names_.size() * count;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string& name = domain(options_.mixed_domains ? number * count + i : number);
        draft.recipients[i].clear();
        fmt::format_to(std::back_inserter(draft.recipients[i]), "user{}@{}",
                       (first + i) % options_.distinct_recipients, name);
    }
    draft.header.clear();
    fmt::format_to(std::back_inserter(draft.header),
                   "X-Load-Id: {0}-{1}\r\nFrom: Garden News <{2}>\r\nTo: <{3}>\r\n"
                   "Subject: News of the week, number {1}\r\nDate: {4}\r\n"
                   "Message-ID: <{0}.{1}@source.example>\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=us-ascii\r\n",
                   options_.run_id, number, options_.sender, draft.recipients.front(), date_);
}

}  // namespace bench
