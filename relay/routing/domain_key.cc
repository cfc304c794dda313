#include "relay/routing/domain_key.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

constexpr char kWaived = '\n';
constexpr char kRequired = '\r';

}  // namespace

PlainDomain::PlainDomain(std::string_view written) {
    const std::size_t length = std::min(written.size(), lower_.size());
    std::ranges::transform(written.substr(0, length), lower_.begin(), core::ascii_lower);
    const std::string_view lower(lower_.data(), length);
    if (has_utf8(lower)) {
        a_labels_ = to_a_labels(written);
        if (a_labels_) name_ = *a_labels_;
    } else {
        name_ = lower;
    }
}

std::string_view domain_key(std::string_view name, TlsRequest request, std::string& storage) {
    if (request == TlsRequest::unsaid) return name;
    storage.assign(name).push_back(request == TlsRequest::waived ? kWaived : kRequired);
    return storage;
}

std::string_view domain_of(std::string_view key) {
    if (key.ends_with(kWaived) || key.ends_with(kRequired)) key.remove_suffix(1);
    return key;
}

TlsRequest request_of(std::string_view key) {
    if (key.ends_with(kWaived)) return TlsRequest::waived;
    if (key.ends_with(kRequired)) return TlsRequest::required;
    return TlsRequest::unsaid;
}

}  // namespace relay
