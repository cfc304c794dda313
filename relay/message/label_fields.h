// Label fields: header fields by which a sender says whom a message belongs to (tenant_header,
// campaign_header and priority_header of a [[listener]]). They are for this relay only, so they are
// taken out of the content. Pure; on the origin shard, before the message is committed.
// Limits: a name has 1 to kMaxLabelOctets octets of UTF-8 without control characters. A field that
// does not begin within the first kMaxLookedThrough octets of the content is not found.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "relay/message/content.h"

namespace relay {

inline constexpr std::size_t kMaxLabelOctets = 128;

// Names of tenants and campaigns: empty when it will do, or else what is wrong, as the end of a
// sentence.
std::string_view label_complaint(std::string_view label);

struct LabelFieldNames {
    std::string tenant;  // empty: no field names it
    std::string campaign;
    std::string priority;

    bool any() const { return !tenant.empty() || !campaign.empty() || !priority.empty(); }
};

struct LabelFields {
    static constexpr std::size_t kMaxLookedThrough = 64 * 1024;

    std::optional<std::string> tenant;  // of the first field of that name
    std::optional<std::string> campaign;
    std::optional<std::string> priority;
};

// Takes every field of these names out of a sealed content.
LabelFields take_label_fields(Content& content, const LabelFieldNames& names);

}  // namespace relay
