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

Site* SiteTable::by_source(Site& site, SourceId source) {
    if (source == site.facts.path.source) return &site;
    for (const Site::BySource& each : site.by_source) {
        if (each.source == source) return each.site;
    }
    return nullptr;
}

Site* SiteTable::add_by_source(Site& site, SourceId source, SiteFacts facts) {
    Site* const made = intern(std::move(facts));
    site.by_source.push_back({source, made});
    return made;
}

bool SiteTable::release(Site* site) {
    PH_ASSERT(site->references > 0);
    if (--site->references > 0) return false;
    for (const Site::BySource& each : std::exchange(site->by_source, {}))
        release(each.site);
    sites_.erase(version_of(site->facts));
    return true;
}

}  // namespace relay
