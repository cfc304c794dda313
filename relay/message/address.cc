#include "relay/message/address.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/address.h"
#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

constexpr std::size_t kMaxLocalPart = 64;
constexpr std::size_t kMaxDomain = 255;
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxPath = 256;
constexpr std::size_t kMaxWritten = 1024;  // a domain in UTF-8, before it becomes A-labels

// atext of RFC 5322 section 3.2.3.
constexpr std::array<bool, 256> kAtext = [] {
    std::array<bool, 256> table{};
    for (int c = 0; c < 128; ++c) {
        const char octet = static_cast<char>(c);
        table[static_cast<std::size_t>(c)] =
            core::is_alnum(octet) ||
            std::string_view("!#$%&'*+-/=?^_`{|}~").find(octet) != std::string_view::npos;
    }
    return table;
}();

bool is_atext(char c) {
    return kAtext[static_cast<unsigned char>(c)];
}
bool is_high(char c) {
    return static_cast<unsigned char>(c) >= 0x80;
}
bool is_printable(char c) {
    return c >= 0x20 && c < 0x7f;
}

// Reads one address from left to right. Every scan_ function leaves at_ behind what it read and
// answers whether it read something valid.
class Scanner {
  public:
    explicit Scanner(std::string_view text, LocalPart local = LocalPart::strict)
        : text_(text), local_(local) {}

    std::size_t at() const { return at_; }
    bool done() const { return at_ == text_.size(); }
    bool utf8() const { return utf8_; }
    bool quote() const { return quote_; }
    char peek() const { return done() ? '\0' : text_[at_]; }
    bool take(char expected) {
        if (done() || text_[at_] != expected) return false;
        ++at_;
        return true;
    }

    bool scan_local_part() { return peek() == '"' ? scan_quoted_string() : scan_dot_string(); }

    // sub-domain *("." sub-domain). How long a label with UTF-8 is, its A-label decides.
    bool scan_domain() {
        const bool utf8_before = utf8_;
        do {
            const std::size_t begin = at_;
            utf8_ = false;
            while (!done() && is_label_octet())
                ++at_;
            const std::size_t length = at_ - begin;
            if (length == 0 || (length > kMaxLabel && !utf8_)) return false;
            if (text_[begin] == '-' || text_[at_ - 1] == '-') return false;
            utf8_domain_ = utf8_domain_ || utf8_;
        } while (take('.'));
        utf8_ = utf8_before || utf8_domain_;
        return true;
    }

    // "[" IPv4 / "IPv6:" IPv6 "]"; a General-address-literal has no registered tag but IPv6.
    bool scan_literal() {
        const auto close = text_.find(']', at_);
        if (peek() != '[' || close == std::string_view::npos) return false;
        const bool valid = is_address_literal(text_.substr(at_, close + 1 - at_));
        at_ = close + 1;
        return valid;
    }

    // "@one,@two:" before the mailbox; nothing to read is fine.
    bool scan_source_route() {
        if (peek() != '@') return true;
        do {
            if (!take('@') || !scan_domain()) return false;
        } while (take(','));
        return take(':');
    }

  private:
    bool scan_dot_string() {
        bool any_atom = false;
        bool dots = false;  // at the beginning, at the end, or two together
        do {
            const std::size_t begin = at_;
            while (!done() && is_atom_octet())
                ++at_;
            (at_ == begin ? dots : any_atom) = true;
        } while (take('.'));
        quote_ = dots;
        return any_atom && (!dots || local_ == LocalPart::loose);
    }

    bool scan_quoted_string() {
        ++at_;
        while (!done()) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c == '\\') {
                ++at_;
                if (done() || !is_printable(text_[at_])) return false;
                ++at_;
            } else if (is_printable(c)) {
                ++at_;
            } else if (!step_over_utf8()) {
                return false;
            } else {
                ++at_;
            }
        }
        return false;
    }

    // These look at the current octet; of a UTF-8 sequence they step to the last octet.
    bool is_atom_octet() { return is_atext(text_[at_]) || step_over_utf8(); }
    bool is_label_octet() {
        const char c = text_[at_];
        return core::is_alnum(c) || c == '-' || c == '_' || step_over_utf8();
    }
    bool step_over_utf8() {
        if (!is_high(text_[at_])) return false;
        const std::size_t length = core::utf8_sequence(text_.substr(at_));
        if (length == 0) return false;
        utf8_ = true;
        at_ += length - 1;
        return true;
    }

    std::string_view text_;
    LocalPart local_;
    std::size_t at_ = 0;
    bool utf8_ = false;
    bool utf8_domain_ = false;
    bool quote_ = false;
};

// What a domain with octets above 127 has as A-labels; no value: too much. What is no name that DNS
// could be asked for is counted as it is written, and fails when it is routed.
std::optional<std::size_t> size_as_a_labels(std::string_view domain) {
    if (domain.size() > kMaxWritten) return std::nullopt;
    const AForm form = a_form(domain);
    if (form.fit == AForm::Fit::fits) return form.size;
    if (form.fit == AForm::Fit::too_long) return std::nullopt;
    for (std::size_t begin = 0; begin <= domain.size();) {
        const std::size_t end = std::min(domain.find('.', begin), domain.size());
        if (end - begin > kMaxLabel) return std::nullopt;
        begin = end + 1;
    }
    return domain.size();
}

std::expected<AddressView, AddressFault> scan_mailbox(Scanner& scanner, std::string_view text) {
    const std::size_t begin = scanner.at();
    if (!scanner.scan_local_part()) return std::unexpected(AddressFault::syntax);
    const std::size_t quotes = scanner.quote() ? 2 : 0;
    const std::size_t local = scanner.at() - begin + quotes;
    if (local > kMaxLocalPart) return std::unexpected(AddressFault::too_long);
    if (scanner.done() || scanner.peek() == '>') return std::unexpected(AddressFault::unqualified);
    if (!scanner.take('@')) return std::unexpected(AddressFault::syntax);

    AddressView address;
    const std::size_t domain = scanner.at();
    address.literal = scanner.peek() == '[';
    if (!(address.literal ? scanner.scan_literal() : scanner.scan_domain())) {
        return std::unexpected(AddressFault::syntax);
    }
    address.mailbox = text.substr(begin, scanner.at() - begin);
    address.domain = text.substr(domain, scanner.at() - domain);
    address.utf8 = scanner.utf8();
    address.quote = scanner.quote();
    std::size_t size = address.domain.size();
    if (address.utf8 && has_utf8(address.domain)) {
        const auto counted = size_as_a_labels(address.domain);
        if (!counted) return std::unexpected(AddressFault::too_long);
        size = *counted;
    }
    if (size > kMaxDomain) return std::unexpected(AddressFault::too_long);
    if (local + 1 + size + 2 > kMaxPath) return std::unexpected(AddressFault::too_long);
    return address;
}

// Syntax errors behind the domain are worse than a short domain, so this comes last.
bool is_qualified(const AddressView& address) {
    return address.literal || address.domain.find('.') != std::string_view::npos;
}

}  // namespace

std::expected<AddressView, AddressFault> parse_mailbox(std::string_view text, LocalPart local) {
    Scanner scanner(text, local);
    auto address = scan_mailbox(scanner, text);
    if (!address) return address;
    if (!scanner.done()) return std::unexpected(AddressFault::syntax);
    if (!is_qualified(*address)) return std::unexpected(AddressFault::unqualified);
    return address;
}

std::string wire_mailbox(const AddressView& address) {
    std::string text;
    text.reserve(address.mailbox.size() + 2);
    const std::size_t local = address.mailbox.size() - address.domain.size() - 1;
    if (address.quote) text += '"';
    text += address.mailbox.substr(0, local);
    if (address.quote) text += '"';
    text += address.mailbox.substr(local);
    return text;
}

std::expected<PathView, AddressFault> parse_path(std::string_view text, LocalPart local) {
    Scanner scanner(text, local);
    if (!scanner.take('<')) return std::unexpected(AddressFault::syntax);
    PathView path;
    if (scanner.take('>')) {
        path.null = true;
        path.rest = text.substr(scanner.at());
        return path;
    }
    if (!scanner.scan_source_route()) return std::unexpected(AddressFault::syntax);
    auto address = scan_mailbox(scanner, text);
    if (!address) return std::unexpected(address.error());
    if (!scanner.take('>')) return std::unexpected(AddressFault::syntax);
    if (!is_qualified(*address)) return std::unexpected(AddressFault::unqualified);
    path.address = *address;
    path.rest = text.substr(scanner.at());
    return path;
}

bool is_domain(std::string_view text) {
    Scanner scanner(text);
    if (!scanner.scan_domain() || !scanner.done()) return false;
    return scanner.utf8() ? size_as_a_labels(text).has_value() : text.size() <= kMaxDomain;
}

bool is_address_literal(std::string_view text) {
    if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
    std::string_view inner = text.substr(1, text.size() - 2);
    const bool v6 = core::starts_with_ignoring_case(inner, "IPv6:");
    if (v6) inner.remove_prefix(5);
    for (const char c : inner) {
        if (!core::is_alnum(c) && c != '.' && c != ':') return false;
    }
    const auto address = core::IpAddress::parse(inner);
    return address && address->is_v6() == v6;
}

}  // namespace relay
