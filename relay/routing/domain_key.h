// The name by which the Router knows a recipient's domain: lower case, A-labels, and a mark where
// mail asks for something about TLS (RFC 8689), because such mail has sites of its own. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "relay/message/message.h"

namespace relay {

// A domain as everybody but the two ends of mail knows it.
class PlainDomain {
  public:
    explicit PlainDomain(std::string_view written);
    PlainDomain(const PlainDomain&) = delete;
    PlainDomain& operator=(const PlainDomain&) = delete;

    // None: DNS has no form for it.
    const std::optional<std::string_view>& name() const { return name_; }

  private:
    static constexpr std::size_t kMaxDomainOctets = 255;

    std::array<char, kMaxDomainOctets> lower_;
    std::optional<std::string> a_labels_;
    std::optional<std::string_view> name_;
};

// The name itself, or with its mark; storage keeps that.
std::string_view domain_key(std::string_view name, TlsRequest request, std::string& storage);
std::string_view domain_of(std::string_view key);
TlsRequest request_of(std::string_view key);

}  // namespace relay
