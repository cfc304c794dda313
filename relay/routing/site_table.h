// SiteTable: the sites of an origin shard, each once. Owned by the Router, on its shard. intern()
// and refer() add a reference, release() takes one back and frees a site that nobody refers to.
// With a site of the source "default" those of the same hosts by other sources go. Cost per call
// flat, whatever their number. Limit: none of its own; the Router begins no domain
// while there are too many.
#pragma once

#include <cstddef>
#include <memory>

#include "core/base/striped_map.h"
#include "relay/routing/site.h"

namespace relay {

class SiteTable {
  public:
    explicit SiteTable(std::size_t shards) : shards_(shards) {}

    Site* intern(SiteFacts facts);
    // The site by another egress source; null: it was not added yet.
    static Site* by_source(Site& site, SourceId source);
    // The site keeps a reference to it.
    Site* add_by_source(Site& site, SourceId source, SiteFacts facts);
    static Site* refer(Site* site) {
        ++site->references;
        return site;
    }
    // True: it was the last reference.
    bool release(Site* site);
    std::size_t size() const { return sites_.size(); }

  private:
    const std::size_t shards_;
    core::StripedMap<std::unique_ptr<Site>, SiteVersion, SiteVersionHash> sites_;
};

}  // namespace relay
