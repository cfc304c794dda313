// Path: what a reload changes.
#include <algorithm>
#include <utility>

#include "relay/path/path.h"

namespace relay {

void Path::adopt(const CheckedConfig& checked) {
    ShapingLimits limits = checked.shaping.limits_for(site_.scope());
    heed_actions(limits);
    if (!site_.route.empty()) {
        const auto route = std::ranges::find_if(checked.config.routes, [&](const auto& one) {
            return one.domain == site_.route && one.hosts == site_.hops;
        });
        // Without one its mail goes elsewhere from now on; what is here already goes as it was to.
        if (route != checked.config.routes.end()) {
            secure_by(checked.tls_of(limits, &*route), route->smarthost);
        }
    } else {
        secure_by(checked.tls_of(limits, nullptr), nullptr);
    }
    if (!site_.routed && site_.port != checked.port_of(limits)) {
        site_.port = checked.port_of(limits);
        pool_.retire_all();
    }
    adopt_source(checked.egress.source(site_.path.source));
    site_.generation = checked.generation;
    waiting_.use(checked.tenants);
    tenant_rates_.use(checked.tenants);
    limit_by(limits);
}

// One that is gone gets no mail any more; what is here already goes as it was to.
void Path::adopt_source(const std::shared_ptr<const EgressSource>& source) {
    const bool gone = source == nullptr && site_.path.source != SourceId::any;
    const bool same = source == site_.source ||
                      (source != nullptr && site_.source != nullptr && *source == *site_.source);
    if (gone || same) return;
    site_.source = source;
    pool_.retire_all();
}

// What is sent from now on goes over a connection that was made by these.
void Path::secure_by(TlsPolicy tls, std::shared_ptr<const Smarthost> smarthost) {
    const TlsPolicy before = site_.tls;
    site_.set_tls(tls);
    const bool same = site_.tls == before && site_.smarthost == smarthost;
    site_.smarthost = std::move(smarthost);
    if (!same) pool_.retire_all();
}

void Path::limit_by(const ShapingLimits& limits) {
    const ShapingLimits before = std::exchange(site_.limits, limits);
    gate_.limit_by(gate_limits(limits));
    if (provider_ != nullptr) provider_->limit_by(limits);
    if (before.enable_pipelining != limits.enable_pipelining ||
        before.pipeline_next != limits.pipeline_next) {
        manners_.allow(most_pipelining(), insists_on_next());
    }
    window_.limit_by(limits.connection_limit);
    show_window();
    if (ledger_ != nullptr) {
        renew_own();
    } else if (role_ == Role::home) {
        places_ = limit_ = limits.connection_limit;
    }
    pool_.retire_beyond(places_);
    maintain();
}

}  // namespace relay
