#include "relay/routing/site_table.h"

#include <utility>

#include "core/base/assert.h"

namespace relay {

Site* SiteTable::intern(SiteFacts facts) {
    auto& place = sites_.add(version_of(facts)).first->second;
    if (place == nullptr) {
        place = std::make_unique<Site>();
        place->home = home_of(facts.path, shards_);
        place->facts = std::move(facts);
    }
    return refer(place.get());
}

bool SiteTable::release(Site* site) {
    PH_ASSERT(site->references > 0);
    if (--site->references > 0) return false;
    sites_.erase(version_of(site->facts));
    return true;
}

}  // namespace relay
